#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "compiler/model/policy.h"

namespace heddle::eval {

/// Why a request cannot be decided on: it is malformed, ambiguous or too long.
struct Refusal {
  std::uint16_t status = 400;
  const char* rule = model::rule_malformed;  // or rule_path
  std::size_t offset = 0;  // of the first byte that is wrong; where nothing single is, of the head's end
  std::string why;
};

inline Refusal malformed(std::size_t offset, std::string why) {
  return {400, model::rule_malformed, offset, std::move(why)};
}

inline Refusal bad_path(std::size_t offset, std::string why) {
  return {400, model::rule_path, offset, std::move(why)};
}

}  // namespace heddle::eval
