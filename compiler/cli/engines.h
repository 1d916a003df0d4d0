#pragma once

#include <memory>
#include <string>
#include <vector>

#include "compiler/eval/engine.h"
#include "runtime/base/result.h"

namespace heddle::cli {

/// The engines that `--engine` names: `evaluator`, `kernel` or `both`; empty is what this machine allows. The
/// policy outlives them.
Result<std::vector<std::unique_ptr<eval::Engine>>> make_engines(const std::string& choice,
                                                                const model::Policy& policy);

}  // namespace heddle::cli
