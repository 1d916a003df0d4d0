#pragma once

#include <string>

#include "compiler/model/condition.h"
#include "tests/differential/random.h"

namespace heddle::differential {

/// A value on which the test is true, or nearly always: for the evaluator to say. The test is one of a string.
std::string example(const model::Test& test, Random& random);

/// What a request may carry under that name.
std::string any_value(model::Attribute attribute, Random& random);

}  // namespace heddle::differential
