#pragma once

#include "compiler/cli/pipeline.h"

namespace heddle::cli {

/// Reads and compiles the filters of a policy; whatever is wrong with one is reported at its place in the C, or where the policy
/// declares it.
void compile_filters(Checked& checked);

}  // namespace heddle::cli
