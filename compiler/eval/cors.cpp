#include "compiler/eval/cors.h"

#include <algorithm>

#include "compiler/eval/regex.h"

namespace heddle::eval {
namespace {

std::optional<std::string> only_value(const Head& head, std::string_view name) {
  const auto values = values_of(head, name);
  return values.size() == 1 ? std::optional(std::string(values.front())) : std::nullopt;
}

bool allows(const model::Cors& cors, const std::string& origin) {
  return cors.any_origin || std::ranges::count(cors.origins, origin) > 0 ||
         std::ranges::any_of(cors.patterns, [&](const auto& pattern) { return matches(*pattern, origin); });
}

std::string list_of(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) text += (text.empty() ? "" : ", ") + item;
  return text;
}

/// What both kinds of answers say. Caches keep answers apart by origin where they differ by it.
ResponseHeaders common(const model::Cors& cors, const Head& head, bool& allowed) {
  ResponseHeaders headers;
  const auto origin = only_value(head, "origin");
  allowed = origin && allows(cors, *origin);
  if (!cors.any_origin) headers["vary"] = "origin";
  if (!allowed) return headers;
  headers["access-control-allow-origin"] = cors.any_origin ? "*" : *origin;
  if (cors.credentials) headers["access-control-allow-credentials"] = "true";
  return headers;
}

}  // namespace

std::optional<std::string> asked_method(const Head& head) {
  if (head.method != "OPTIONS" || !only_value(head, "origin")) return std::nullopt;
  return only_value(head, "access-control-request-method");
}

ResponseHeaders preflight_answer(const model::Cors& cors, const Head& head) {
  bool allowed = false;
  ResponseHeaders headers = common(cors, head, allowed);
  if (!allowed) return headers;
  if (!cors.methods.empty()) headers["access-control-allow-methods"] = list_of(cors.methods);
  if (!cors.headers.empty()) headers["access-control-allow-headers"] = list_of(cors.headers);
  if (cors.max_age_s) headers["access-control-max-age"] = std::to_string(*cors.max_age_s);
  return headers;
}

ResponseHeaders cors_headers(const model::Cors& cors, const Head& head) {
  bool allowed = false;
  ResponseHeaders headers = common(cors, head, allowed);
  if (allowed && !cors.expose.empty()) headers["access-control-expose-headers"] = list_of(cors.expose);
  return headers;
}

}  // namespace heddle::eval
