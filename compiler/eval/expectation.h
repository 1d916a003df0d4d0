#pragma once

#include <string>

#include "compiler/eval/outcome.h"
#include "compiler/model/policy.h"

namespace heddle::eval {

/// Whether an outcome is what a test expects.
///
/// `allowed`: access allowed it, whatever came after. `route x`: it goes to an endpoint of x. `status n`: the
/// mesh itself answers with n. `rule "x"`: x ended the decision.
bool meets(const model::Policy& policy, const model::Expectation& expectation, const Outcome& outcome);

/// As the policy writes it: `refused 400`, `route v1 or v2`.
std::string expectation_text(const model::Expectation& expectation);

}  // namespace heddle::eval
