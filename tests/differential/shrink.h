#pragma once

#include <string>

#include "compiler/plan/plan.h"
#include "tests/differential/cases.h"

namespace heddle::differential {

/// A case on which evaluator and compiled function differ, as a person wants to see it: rules of the policy
/// and lines of the request are left out as long as the two still differ.
std::string smallest_difference(const std::string& text, const Case& made, const plan::CodeBounds& bounds);

}  // namespace heddle::differential
