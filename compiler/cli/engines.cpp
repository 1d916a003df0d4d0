#include "compiler/cli/engines.h"

namespace heddle::cli {

Result<std::vector<std::unique_ptr<eval::Engine>>> make_engines(const std::string& choice,
                                                                const model::Policy& policy) {
  if (choice == "kernel" || choice == "both") {
    return Error{ErrorKind::unsupported, "this build of heddle has no kernel engine",
                 "use `--engine evaluator`"};
  }
  std::vector<std::unique_ptr<eval::Engine>> engines;
  engines.push_back(std::make_unique<eval::EvaluatorEngine>(policy));
  return engines;
}

}  // namespace heddle::cli
