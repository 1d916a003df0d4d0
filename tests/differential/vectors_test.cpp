// tests/vectors/requests.json, by the evaluator and by the syscall entry. Handler and fast path take the same file
// (tests/e2e/fast_path/vectors_test.py).

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "compiler/eval/evaluator.h"
#include "tests/differential/compiled.h"
#include "tests/differential/parsed.h"

namespace heddle::differential {
namespace {

const std::string folder = HEDDLE_SOURCE_DIR "/tests/vectors/";

std::string read_file(const std::string& name) {
  std::ifstream file(folder + name);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// A JSON text has characters where a head has bytes.
std::string as_bytes(const std::string& utf8) {
  std::string bytes;
  for (std::size_t at = 0; at < utf8.size(); ++at) {
    const auto byte = static_cast<unsigned char>(utf8[at]);
    if (byte < 0x80) {
      bytes += utf8[at];
    } else {
      bytes += static_cast<char>((byte & 3) << 6 | (static_cast<unsigned char>(utf8[++at]) & 0x3f));
    }
  }
  return bytes;
}

std::string head_of(const nlohmann::json& row) {
  std::string head = as_bytes(row.at("line")) + "\r\n";
  if (!row.contains("host")) head += "Host: echo\r\n";
  if (row.contains("host") && !row["host"].is_null()) head += "Host: " + as_bytes(row["host"]) + "\r\n";
  for (const auto& field : row.value("fields", nlohmann::json::array())) head += as_bytes(field) + "\r\n";
  return head + "\r\n";
}

Case case_of(const nlohmann::json& row, const model::Policy& policy) {
  const model::Service& service = policy.services.front();
  Case made;
  made.request.head = head_of(row);
  const auto is_it = [&](const model::Workload& workload) { return workload.name == row.value("from", "web"); };
  const auto caller = std::find_if(policy.workloads.begin(), policy.workloads.end(), is_it);
  made.caller = static_cast<model::WorkloadId>(caller - policy.workloads.begin());
  made.request.spiffe = "spiffe://test.example/ns/test/sa/" + row.value("from", "web");
  const std::string dial = row.value("dial", "");
  made.request.destination = dial == "endpoint" ? service.endpoints.front().address
                             : dial == "6"      ? service.addresses.back()
                                                : service.addresses.front();
  model::IpAddress source;
  if (row.contains("source") && model::parse_ip(row["source"], source)) made.request.source.ip = source;
  return made;
}

/// More rules than `rules_in_code` become tables.
void expect_every_row(std::size_t rules_in_code) {
  const Parsed parsed = parse(read_file("policy.mesh"));
  ASSERT_TRUE(parsed.policy) << parsed.complaint;
  auto compiled = CompiledPolicy::make(*parsed.policy, parsed.sources, {.rules = rules_in_code});
  ASSERT_TRUE(compiled) << compiled.error().what;
  const eval::Evaluator evaluator(*parsed.policy);
  const auto rows = nlohmann::json::parse(read_file("requests.json"));
  ASSERT_GE(rows.size(), 60u);
  for (const auto& row : rows) {
    const std::string name = row.at("name");
    const std::string rule = row.at("rule");
    const Case made = case_of(row, *parsed.policy);
    EXPECT_EQ(evaluator.decide(made.request).rule, rule) << name;
    const auto answers = compiled->decide({made});
    ASSERT_TRUE(answers) << answers.error().what;
    ASSERT_TRUE(answers->front()) << name;
    EXPECT_EQ(answers->front()->rule, rule) << name;
    if (row.contains("goes")) {
      EXPECT_EQ(answers->front()->pool, "echo." + row["goes"].get<std::string>()) << name;
    }
    const int status = rule.starts_with("mesh/") ? row.value("status", 400) : rule.starts_with("access") ? 403 : 0;
    const bool allowed = rule == "access echo/web";
    EXPECT_EQ(answers->front()->status, allowed ? 0 : status) << name;
  }
}

TEST(Vectors, EvaluatorAndSyscallEntry) {
  expect_every_row(32);
}

TEST(Vectors, EvaluatorAndSyscallEntryWithTables) {
  expect_every_row(0);
}

}  // namespace
}  // namespace heddle::differential
