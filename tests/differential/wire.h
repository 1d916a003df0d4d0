#pragma once

#include <string>

#include "compiler/model/policy.h"
#include "tests/differential/draft.h"
#include "tests/differential/random.h"

namespace heddle::differential {

/// The bytes of a draft, in one of the many spellings that HTTP leaves open.
std::string wire_text(const Draft& draft, Random& random);

/// Breaks the form of a head in one place: what is refused, what nearly is, and noise.
std::string damage(std::string head, Random& random);

}  // namespace heddle::differential
