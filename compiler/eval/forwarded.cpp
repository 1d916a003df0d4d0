#include "compiler/eval/forwarded.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "compiler/eval/answer.h"
#include "compiler/eval/bytes.h"

namespace heddle::eval {
namespace {

/// Of one hop; `te: trailers` goes on where gRPC needs it.
constexpr std::array<std::string_view, 7> of_this_hop = {"connection", "keep-alive", "proxy-connection", "te",
                                                         "upgrade",    "expect",     "http2-settings"};

/// The segments of a path, behind its first slash.
std::vector<std::string> segments_of(std::string_view path) {
  std::vector<std::string> segments;
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::size_t end = std::min(path.find('/'), path.size());
    segments.emplace_back(path.substr(0, end));
    path.remove_prefix(end);
  }
  return segments;
}

std::string by_pattern(const std::string& path, const model::PathRewrite& rewrite) {
  const std::vector<std::string> from = segments_of(rewrite.from);
  const std::vector<std::string> have = segments_of(path);
  std::map<std::string, std::string> named;
  const bool open = !from.empty() && from.back() == "**";
  const std::size_t fixed = from.size() - (open ? 1 : 0);
  for (std::size_t i = 0; i < fixed; ++i) {
    if (from[i].starts_with('{') && i < have.size()) named[from[i]] = have[i];
  }
  std::string result;
  for (const std::string& segment : segments_of(rewrite.to)) {
    if (segment != "**") {
      const auto found = named.find(segment);
      result += "/" + (found == named.end() ? segment : found->second);
      continue;
    }
    for (std::size_t i = fixed; i < have.size(); ++i) result += "/" + have[i];
  }
  return result.empty() ? "/" : result;
}

/// What a header is set to; none: it has no value for this request.
std::optional<std::string> value_of(const model::HeaderChange& change, const Facts& facts) {
  using Value = model::HeaderChange::Value;
  switch (change.value) {
    case Value::text:
      return change.text;
    case Value::identity:
      return facts.spiffe;
    case Value::address:
      if (facts.source == model::IpAddress{}) return std::nullopt;
      return facts.source.text();
    case Value::claim: {
      // What no header can have in one line is no value of it.
      const auto value = claim_value(facts.user, change.claim);
      const bool fits = value && std::ranges::all_of(*value, is_value) && trim(*value) == *value;
      return fits ? value : std::nullopt;
    }
  }
  return std::nullopt;
}

void change_header(Forwarded& request, const model::HeaderChange& change, const Facts& facts) {
  using Action = model::HeaderChange::Action;
  std::vector<Field>& fields = request.head.fields;
  if (change.action != Action::add) {
    std::erase_if(fields, [&](const Field& field) { return field.name == change.name; });
    std::erase(request.of_source, change.name);
  }
  if (change.action == Action::remove) return;
  if (change.value == model::HeaderChange::Value::address && facts.source == model::IpAddress{})
    request.of_source.push_back(change.name);
  if (const auto value = value_of(change, facts)) fields.push_back({change.name, *value});
}

}  // namespace

std::string rewritten(const std::string& path, const model::PathRewrite& rewrite) {
  using Kind = model::PathRewrite::Kind;
  if (rewrite.kind == Kind::whole) return rewrite.to;
  if (rewrite.kind == Kind::like) return by_pattern(path, rewrite);
  return moved(path, rewrite.from, rewrite.to);
}

Forwarded forwarded_head(const Head& head, bool upgrade, model::Protocol protocol) {
  Forwarded request{head, {}};
  std::vector<std::string> named;
  for (const std::string_view line : values_of(head, "connection")) {
    for (const std::string_view element : list_elements(line)) named.push_back(lower(element));
  }
  const auto asked = values_of(head, "upgrade");
  const bool websocket = upgrade && asked.size() == 1 && lower(asked.front()) == "websocket" && std::ranges::count(named, "upgrade") > 0;
  const bool te = protocol != model::Protocol::http;
  std::erase_if(request.head.fields, [&](const Field& field) {
    if (te && field.name == "te") return false;
    return std::ranges::count(of_this_hop, std::string_view(field.name)) > 0 || std::ranges::count(named, field.name) > 0;
  });
  if (websocket) {
    request.head.fields.push_back({"connection", "upgrade"});
    request.head.fields.push_back({"upgrade", "websocket"});
  }
  return request;
}

void change(Forwarded& request, const model::Changes& changes, const Facts& facts) {
  if (changes.path) request.head.path = rewritten(request.head.path, *changes.path);
  if (changes.host) {
    request.head.host = lower(*changes.host);
    std::erase_if(request.head.fields, [](const Field& field) { return field.name == "host"; });
    request.head.fields.insert(request.head.fields.begin(), Field{"host", *changes.host});
  }
  for (const model::HeaderChange& each : changes.request) change_header(request, each, facts);
}

void change(ResponseHeaders& headers, const model::Changes& changes, const Facts& facts) {
  using Action = model::HeaderChange::Action;
  for (const model::HeaderChange& each : changes.response) {
    if (each.value == model::HeaderChange::Value::address && each.action != Action::remove && facts.source == model::IpAddress{})
      facts.asked_source = true;
    const auto value = each.action == Action::remove ? std::nullopt : value_of(each, facts);
    // What a server adds to is not known.
    if (each.action == Action::add && !value) continue;
    headers[each.name] = value;
  }
}

}  // namespace heddle::eval
