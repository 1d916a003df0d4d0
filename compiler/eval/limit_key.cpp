#include "compiler/eval/limit_key.h"

namespace heddle::eval {
std::string limit_key(const model::Limit& limit, const Facts& facts) {
  std::string text;
  for (const model::RequestKey& part : limit.key) {
    const auto value = key_value(part, facts);
    text += value ? std::to_string(value->size()) + ":" + *value : "-";
  }
  return text;
}

}  // namespace heddle::eval
