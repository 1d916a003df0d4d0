#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compiler/model/policy.h"
#include "compiler/plan/plan.h"
#include "compiler/source/source_manager.h"
#include "runtime/loader/decide_session.h"
#include "tests/differential/cases.h"

namespace heddle::differential {

/// What the compiled function said, in the words of the policy.
struct Compiled {
  std::string verdict;
  std::uint16_t status = 0;
  std::string rule;
  std::string access_rule;
  std::string service;
  std::string pool;
  std::optional<model::SocketAddress> endpoint;
  std::uint32_t timeout_ms = 0;
  std::uint32_t retry_after = 0;
};

/// A policy as compiled code in the running kernel, asked through its syscall entry. The bytes of a request
/// get there as they would through the handler: its parser finds the head's end and form, and the kernel does
/// the rest.
class CompiledPolicy {
 public:
  static Result<CompiledPolicy> make(const model::Policy& policy, const source::SourceManager& sources,
                                     const plan::CodeBounds& bounds = {});

  /// One answer per case, in order; none for a head that never ends, which is never decided.
  Result<std::vector<std::optional<Compiled>>> decide(const std::vector<Case>& cases);

 private:
  explicit CompiledPolicy(loader::DecideSession session) : session_(std::move(session)) {}
  Compiled in_words(const hd_decision& decision) const;
  void set_world(const eval::World& world);

  loader::DecideSession session_;
};

}  // namespace heddle::differential
