#include "tests/differential/vectors.h"

#include <algorithm>
#include <fstream>
#include <sstream>

namespace heddle::differential {
namespace {

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

bool is_number(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

std::string written_out(const std::string& text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const std::size_t end = text[at] == '<' ? text.find('>', at) : std::string::npos;
    const std::string number = end == std::string::npos ? "" : text.substr(at + 1, end - at - 1);
    if (is_number(number)) {
      out.append(std::stoul(number), 'a');
      at = end;
    } else {
      out += text[at];
    }
  }
  return out;
}

std::size_t index_of(const auto& list, const std::string& name) {
  const auto found = std::find_if(list.begin(), list.end(), [&](const auto& each) { return each.name == name; });
  return static_cast<std::size_t>(found - list.begin());
}

}  // namespace

std::string read_vectors(const std::string& name) {
  std::ifstream file(HEDDLE_SOURCE_DIR "/tests/vectors/" + name);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string head_of(const nlohmann::json& row, const Unsaid& unsaid) {
  std::string head = row.value("line", "GET /x HTTP/1.1") + "\r\n";
  if (!row.contains("host")) head += "Host: " + unsaid.host + "\r\n";
  if (row.contains("host") && !row["host"].is_null()) head += "Host: " + row["host"].get<std::string>() + "\r\n";
  for (const auto& field : row.value("fields", nlohmann::json::array())) head += field.get<std::string>() + "\r\n";
  return written_out(as_bytes(head + "\r\n"));
}

Case case_of(const nlohmann::json& row, const model::Policy& policy, const Unsaid& unsaid) {
  const model::Service& service = policy.services.at(index_of(policy.services, row.value("to", unsaid.service)));
  Case made;
  made.request.head = head_of(row, unsaid);
  made.caller = static_cast<model::WorkloadId>(index_of(policy.workloads, row.value("from", "web")));
  made.request.spiffe = "spiffe://test.example/ns/test/sa/" + row.value("from", "web");
  const std::string dial = row.value("dial", "");
  made.request.destination = dial == "endpoint" ? service.endpoints.front().address
                             : dial == "6"      ? service.addresses.back()
                                                : service.addresses.front();
  model::IpAddress source;
  if (row.contains("source") && model::parse_ip(row["source"], source)) made.request.source.ip = source;
  return made;
}

Case connection_case_of(const nlohmann::json& row, const model::Policy& policy, const Unsaid& unsaid) {
  Case made = case_of(row, policy, unsaid);
  made.request.head.clear();
  if (row.contains("sni")) made.request.sni = written_out(as_bytes(row["sni"].get<std::string>()));
  return made;
}

}  // namespace heddle::differential
