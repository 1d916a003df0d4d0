#pragma once

#include <string>

#include "compiler/eval/match.h"
#include "compiler/model/policy.h"

namespace heddle::eval {

/// What a request has of a limit's key, as one text: requests with equal texts share an account. A part that the request
/// does not have is a value of its own.
std::string limit_key(const model::Limit& limit, const Facts& facts);

}  // namespace heddle::eval
