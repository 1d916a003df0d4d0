#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compiler/eval/destination.h"
#include "compiler/model/policy.h"
#include "compiler/plan/plan.h"
#include "compiler/source/source_manager.h"
#include "runtime/handler/tables.h"
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
  // What the handler sends where the mesh answers itself.
  std::string body;
  std::string type;
  std::string location;
};

/// A policy as compiled code in the running kernel, asked through its syscall entry. The bytes of a request
/// get there as they would through the handler: its parser finds the head's end and form, and the kernel does
/// the rest.
class CompiledPolicy {
 public:
  static Result<CompiledPolicy> make(const model::Policy& policy, const source::SourceManager& sources,
                                     const plan::CodeBounds& bounds = {}, const eval::Place& agent = {});

  /// One answer per case, in order; none for a head that never ends, which is never decided.
  Result<std::vector<std::optional<Compiled>>> decide(const std::vector<Case>& cases);

  /// How often each rule was counted, by its id.
  [[nodiscard]] Result<std::map<std::string, std::uint64_t>> counted() const;

 private:
  [[nodiscard]] std::optional<eval::Destination> destination_of(const model::SocketAddress& address, bool tunnelled) const;
  [[nodiscard]] hd_protocol protocol_of(const eval::Request& request) const;
  CompiledPolicy(const model::Policy& policy, loader::DecideSession session, std::unique_ptr<handler::Tables> tables)
      : policy_(policy), session_(std::move(session)), tables_(std::move(tables)) {}
  /// `head` is normalised, too.
  Result<hd_decision> decide_normalised(loader::DecideInput input, std::string& head);
  Compiled in_words(const hd_decision& decision) const;
  void add_answer(const hd_decision& decision, const std::string& head, const model::SocketAddress& dialled,
                  Compiled& words) const;
  void set_world(const eval::World& world);

  const model::Policy& policy_;
  loader::DecideSession session_;
  std::unique_ptr<handler::Tables> tables_;
};

}  // namespace heddle::differential
