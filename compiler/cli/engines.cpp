#include "compiler/cli/engines.h"

#include "compiler/cli/kernel_engine.h"
#include "runtime/loader/requirements.h"

namespace heddle::cli {

namespace {

bool can_load_programs() {
  return loader::check_machine().ok();
}

Result<void> add_kernel(const Checked& checked, const eval::Place& agent, Engines& engines) {
  auto kernel = KernelEngine::make(checked, agent);
  if (!kernel) return kernel.error();
  engines.push_back(std::move(*kernel));
  return {};
}

}  // namespace

Result<Engines> make_engines(const std::string& choice, const Checked& checked, const eval::Place& agent) {
  Engines engines;
  if (choice != "kernel") engines.push_back(std::make_unique<eval::EvaluatorEngine>(*checked.policy, agent));
  const bool with_kernel = choice == "kernel" || choice == "both" || (choice.empty() && can_load_programs());
  if (with_kernel) {
    if (auto added = add_kernel(checked, agent, engines); !added) return added.error();
  }
  return engines;
}

}  // namespace heddle::cli
