#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "compiler/eval/evaluator.h"

namespace heddle::eval {

/// Why an engine could not decide: the world's fault, not the policy's.
struct EngineFailure {
  std::string what;  // lower case, no full stop
  std::string help;  // the fix, or empty
};

using Answer = std::variant<Outcome, EngineFailure>;

/// Something that decides requests by a policy: the reference evaluator, or the compiled policy in the
/// kernel. An engine that cannot decide (the machine does not let it) says so; it never guesses.
class Engine {
 public:
  Engine() = default;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  virtual ~Engine() = default;

  /// `evaluator`, `kernel`: as `--engine` calls it.
  [[nodiscard]] virtual std::string_view name() const = 0;
  /// From here on limits are fresh, and the clock stands still.
  virtual void begin() {}
  virtual Answer decide(const Request& request) = 0;
  /// Where such an outcome is decided: `kernel`, `handler`, `connect`; none: this engine does not know.
  [[nodiscard]] virtual std::optional<std::string> tier_of(const Outcome& /*outcome*/) const { return std::nullopt; }
};

class EvaluatorEngine : public Engine {
 public:
  explicit EvaluatorEngine(const model::Policy& policy, Place place = {})
      : evaluator_(policy, {{}, std::move(place)}) {}

  [[nodiscard]] std::string_view name() const override { return "evaluator"; }
  void begin() override { accounts_.clear(); }
  Answer decide(const Request& request) override { return evaluator_.decide(request, &accounts_); }

 private:
  Evaluator evaluator_;
  Accounts accounts_;
};

}  // namespace heddle::eval
