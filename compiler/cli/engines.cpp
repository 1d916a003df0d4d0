#include "compiler/cli/engines.h"

#include "compiler/cli/kernel_engine.h"
#include "compiler/cli/tiers.h"
#include "runtime/loader/requirements.h"

namespace heddle::cli {

namespace {

bool can_load_programs() {
  return loader::check_machine().ok();
}

class PlacedEvaluator final : public eval::EvaluatorEngine {
 public:
  PlacedEvaluator(const model::Policy& policy, const eval::Place& agent) : EvaluatorEngine(policy, agent), policy_(policy) {}
  [[nodiscard]] std::optional<std::string> tier_of(const eval::Outcome& outcome) const override {
    return cli::tier_of(policy_, outcome);
  }

 private:
  const model::Policy& policy_;
};

Result<void> add_kernel(const Checked& checked, const eval::Place& agent, Engines& engines) {
  auto kernel = KernelEngine::make(checked, agent);
  if (!kernel) return kernel.error();
  engines.push_back(std::move(*kernel));
  return {};
}

}  // namespace

Result<Engines> make_engines(const std::string& choice, const Checked& checked, const eval::Place& agent) {
  Engines engines;
  if (choice != "kernel") engines.push_back(std::make_unique<PlacedEvaluator>(*checked.policy, agent));
  const bool asked = choice == "kernel" || choice == "both";
  if (asked && !checked.plan) {
    const std::string& what = checked.policy->not_built.front().what;
    return Error{ErrorKind::unsupported, "this version cannot run `" + what + "`, so there is nothing to ask the kernel",
                 "leave `--engine` out, or say `--engine evaluator`"};
  }
  if (asked || (choice.empty() && checked.plan && can_load_programs())) {
    if (auto added = add_kernel(checked, agent, engines); !added) return added.error();
  }
  return engines;
}

}  // namespace heddle::cli
