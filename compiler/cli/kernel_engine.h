#pragma once

#include <memory>
#include <string>
#include <vector>

#include "compiler/cli/pipeline.h"
#include "compiler/cli/tiers.h"
#include "compiler/eval/engine.h"
#include "runtime/loader/decide_session.h"

namespace heddle::cli {

/// The compiled policy in the running kernel, asked through its syscall entry, with state of its own. Nothing
/// is attached, and nothing stays.
///
/// A caller is the cgroup of the workload that has its id, or else a peer with a certificate. The size and framing of a head are found by the reference, as the handler finds them before
/// it asks.
class KernelEngine final : public eval::Engine {
 public:
  /// `checked` has a policy, and outlives the engine.
  static Result<std::unique_ptr<KernelEngine>> make(const Checked& checked, const eval::Place& agent = {});

  [[nodiscard]] std::string_view name() const override { return "kernel"; }
  void begin() override { session_.forget_accounts(); }
  eval::Answer decide(const eval::Request& request) override;
  [[nodiscard]] std::optional<std::string> tier_of(const eval::Outcome& outcome) const override {
    return cli::tier_of(policy_, outcome);
  }

 private:
  KernelEngine(const model::Policy& policy, loader::DecideSession session)
      : policy_(policy), session_(std::move(session)) {}
  [[nodiscard]] eval::Outcome in_words(const hd_decision& decision, const eval::Request& request) const;

  const model::Policy& policy_;
  loader::DecideSession session_;
};

}  // namespace heddle::cli
