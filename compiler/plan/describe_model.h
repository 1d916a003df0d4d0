#pragma once

#include <string>

#include "compiler/model/policy.h"

namespace heddle::plan {

/// The checked policy as text, names resolved, in canonical order: for `--emit model`.
std::string describe_model(const model::Policy& policy);

}  // namespace heddle::plan
