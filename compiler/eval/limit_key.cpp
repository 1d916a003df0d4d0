#include "compiler/eval/limit_key.h"

#include <optional>

namespace heddle::eval {
namespace {

std::optional<std::string> value_of(const model::RequestKey& part, const Facts& facts) {
  using Kind = model::RequestKey::Kind;
  if (part.kind == Kind::identity) return facts.spiffe;
  if (part.kind == Kind::method) return facts.head->method;
  if (part.kind == Kind::host) return facts.head->host;
  return key_value(part, facts);
}

}  // namespace

std::string limit_key(const model::Limit& limit, const Facts& facts) {
  std::string text;
  for (const model::RequestKey& part : limit.key) {
    const auto value = value_of(part, facts);
    text += value ? std::to_string(value->size()) + ":" + *value : "-";
  }
  return text;
}

}  // namespace heddle::eval
