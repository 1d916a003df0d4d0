#pragma once

#include <memory>
#include <string>
#include <vector>

#include "compiler/cli/pipeline.h"
#include "compiler/eval/engine.h"
#include "runtime/base/result.h"

namespace heddle::cli {

using Engines = std::vector<std::unique_ptr<eval::Engine>>;

/// The engines that `--engine` names: `evaluator`, `kernel` or `both`; empty is both where this machine and
/// this user may load programs, else the evaluator. `checked` has a policy and outlives them.
/// `agent` is where they decide.
Result<Engines> make_engines(const std::string& choice, const Checked& checked, const eval::Place& agent = {});

}  // namespace heddle::cli
