// The tables of tests/vectors, by the evaluator and by the syscall entry. Handler and fast path take the same files
// (tests/e2e/fast_path: vectors_test.py, bypass_test.py).

#include <gtest/gtest.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <map>
#include <string>

#include "compiler/eval/evaluator.h"
#include "compiler/eval/head.h"
#include "runtime/handler/http/normalise.h"
#include "runtime/handler/http/request.h"
#include "runtime/handler/http/rewrite.h"
#include "tests/differential/agreement.h"
#include "tests/differential/compiled.h"
#include "tests/differential/parsed.h"
#include "tests/differential/vectors.h"

namespace heddle::differential {
namespace {

/// Both executors of one policy.
struct Both {
  Both(const std::string& file, const plan::CodeBounds& bounds) : parsed(parse(read_vectors(file))) {
    EXPECT_TRUE(parsed.policy) << parsed.complaint;
    if (!parsed.policy) std::abort();
    auto made = CompiledPolicy::make(*parsed.policy, parsed.sources, bounds);
    EXPECT_TRUE(made) << made.error().what;
    if (!made) std::abort();
    compiled.emplace(std::move(*made));
    evaluator.emplace(*parsed.policy);
  }

  /// What they say if it is the same rule, else a difference is reported.
  std::optional<Compiled> decide(const Case& made, const std::string& rule, const std::string& name) {
    EXPECT_EQ(evaluator->decide(made.request, &accounts).rule, rule) << name;
    const auto answers = compiled->decide({made});
    EXPECT_TRUE(answers) << answers.error().what;
    EXPECT_TRUE(answers && answers->front()) << name;
    if (!answers || !answers->front()) return std::nullopt;
    EXPECT_EQ(answers->front()->rule, rule) << name;
    return answers->front();
  }

  Parsed parsed;
  std::optional<CompiledPolicy> compiled;
  std::optional<eval::Evaluator> evaluator;
  eval::Accounts accounts;
};

/// More rules than `rules_in_code` become tables.
void expect_every_row(std::size_t rules_in_code) {
  Both both("policy.mesh", {.rules = rules_in_code});
  const auto rows = nlohmann::json::parse(read_vectors("requests.json"));
  ASSERT_GE(rows.size(), 60u);
  std::map<std::string, std::uint64_t> audits;
  for (const auto& row : rows) {
    const std::string name = row.at("name");
    const std::string rule = row.at("rule");
    const Case made = case_of(row, *both.parsed.policy, {"echo", "echo"});
    const auto answer = both.decide(made, rule, name);
    ASSERT_TRUE(answer);
    if (row.contains("goes")) {
      EXPECT_EQ(answer->pool, "echo." + row["goes"].get<std::string>()) << name;
    }
    const int otherwise = rule.starts_with("mesh/") ? 400 : rule.starts_with("access") ? 403 : 0;
    const bool allowed = rule == "access echo/web";
    EXPECT_EQ(answer->status, allowed ? 0 : row.value("status", otherwise)) << name;
    EXPECT_EQ(answer->location, row.value("location", "")) << name;
    EXPECT_EQ(answer->type, row.value("type", "")) << name;
    const auto audited = row.value("audited", std::vector<std::string>());
    EXPECT_EQ(both.evaluator->decide(made.request).audited, audited) << name;
    for (const std::string& each : audited) ++audits[each];
    EXPECT_EQ(difference(*both.parsed.policy, both.evaluator->decide(made.request), *answer), "") << name;
  }
  const auto counted = both.compiled->counted();
  ASSERT_TRUE(counted) << counted.error().what;
  EXPECT_EQ(audits.size(), 2u);
  for (const auto& [rule, times] : audits) EXPECT_EQ(counted->at(rule), times) << rule;
}

/// The rows of `file`, rather of `service`.
void expect_every_connection(const std::string& file, const std::string& service, std::size_t least, std::size_t rules_in_code) {
  Both both(file + ".mesh", {.rules = rules_in_code});
  const auto rows = nlohmann::json::parse(read_vectors(file + ".json"));
  ASSERT_GE(rows.size(), least);
  std::uint64_t audited = 0;
  for (const auto& row : rows) {
    const std::string name = row.at("name");
    const Case made = connection_case_of(row, *both.parsed.policy, {service, ""});
    const auto answer = both.decide(made, row.at("rule"), name);
    ASSERT_TRUE(answer) << name;
    const std::string goes = row.value("goes", "");
    if (!goes.empty() && row.value("dial", "") != "endpoint") {
      EXPECT_EQ(answer->pool, goes.starts_with('v') ? service + "." + goes : goes) << name;
    }
    const eval::Outcome outcome = both.evaluator->decide(made.request);
    EXPECT_EQ(outcome.audited, row.value("audited", std::vector<std::string>())) << name;
    audited += outcome.audited.size();
    EXPECT_EQ(difference(*both.parsed.policy, outcome, *answer), "") << name;
  }
  const auto counted = both.compiled->counted();
  ASSERT_TRUE(counted) << counted.error().what;
  EXPECT_EQ(counted->at("access " + service + "/watched"), audited);
  EXPECT_GT(audited, 0u);
}

TEST(Vectors, Names) {
  expect_every_connection("tls", "gate", 80, 32);
}

TEST(Vectors, NamesWithTables) {
  expect_every_connection("tls", "gate", 80, 0);
}

TEST(Vectors, Addresses) {
  expect_every_connection("tcp", "queue", 55, 32);
}

TEST(Vectors, AddressesWithTables) {
  expect_every_connection("tcp", "queue", 55, 0);
}

TEST(Vectors, EvaluatorAndSyscallEntry) {
  expect_every_row(32);
}

TEST(Vectors, EvaluatorAndSyscallEntryWithTables) {
  expect_every_row(0);
}

const Unsaid unsaid = {"plain", "shop.example"};

/// What the mesh answers with; 0: it is the server that answers.
int status_of(const nlohmann::json& row, const std::string& rule) {
  if (rule.starts_with("mesh/")) return row.value("status", 400);
  if (rule.starts_with("limit")) return 429;
  if (rule.ends_with("/here")) return 200;
  return rule.ends_with("/otherwise") || rule.ends_with("/web") ? 0 : 403;
}

/// The head as the handler sends it on.
std::string forwarded(std::string head, model::PathMode mode) {
  const http::Request request = http::parse_request(head);
  head.erase(0, http::make_origin_form(head.data(), request));
  const auto length = static_cast<std::uint32_t>(head.size());
  head.erase(0, http::normalise_target(head.data(), length, static_cast<http::PathMode>(mode)));
  if (!request.hop_by_hop) return head;
  char* const begin = http::rewrite_head(head.data(), static_cast<std::uint32_t>(head.size()), http::hop_by_hop_fields, {});
  return head.substr(static_cast<std::size_t>(begin - head.data()));
}

std::string expected_head(nlohmann::json row) {
  const auto other = row.contains("handler_receives") ? row["handler_receives"] : row.value("receives", nlohmann::json::object());
  row.update(other);
  return head_of(row, unsaid);
}

std::string target_of(const eval::Head& head) {
  return head.path + (head.query ? "?" + *head.query : "");
}

/// What the evaluator decides on is what the server gets, and says the same once more.
void expect_forwarded(Both& both, const Case& made, const model::Paths& paths, const nlohmann::json& row) {
  const std::string name = row.at("name");
  const std::string expected = expected_head(row);
  EXPECT_EQ(forwarded(made.request.head, paths.mode), expected) << name;
  eval::Refusal refusal;
  const auto head = eval::read_head(made.request.head, paths, refusal);
  ASSERT_TRUE(head) << name;
  const std::size_t begin = expected.find(' ') + 1;
  EXPECT_EQ(target_of(*head), expected.substr(begin, expected.find(' ', begin) - begin)) << name;
  Case again = made;
  again.request.head = expected;
  EXPECT_EQ(both.evaluator->decide(again.request).rule, both.evaluator->decide(made.request).rule) << name;
  EXPECT_EQ(forwarded(expected, paths.mode), expected) << name;
}

void expect_nothing_past(std::size_t rules_in_code) {
  Both both("bypass.mesh", {.rules = rules_in_code});
  const auto groups = nlohmann::json::parse(read_vectors("bypass.json"));
  std::size_t count = 0, allowed = 0;
  for (const auto& [group, rows] : groups.items()) {
    for (const auto& row : rows) {
      const std::string name = group + ": " + row.at("name").get<std::string>();
      const std::string to = row.value("to", unsaid.service);
      const std::string rule = row.value("rule", "route " + to + "/otherwise");
      const Case made = case_of(row, *both.parsed.policy, unsaid);
      const auto answer = both.decide(made, rule, name);
      ASSERT_TRUE(answer);
      EXPECT_EQ(answer->status, status_of(row, rule)) << name;
      ++count;
      if (status_of(row, rule) != 0) continue;
      ++allowed;
      for (const model::Service& service : both.parsed.policy->services) {
        if (service.name == to) expect_forwarded(both, made, service.paths, row);
      }
    }
  }
  std::printf("%zu requests, %zu of them allowed\n", count, allowed);
  EXPECT_GE(count, 408u);
}

TEST(Vectors, NothingGetsPastADeny) {
  expect_nothing_past(32);
}

TEST(Vectors, NothingGetsPastADenyInTables) {
  expect_nothing_past(0);
}

}  // namespace
}  // namespace heddle::differential
