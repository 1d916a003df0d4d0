#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "compiler/plan/choices.h"
#include "compiler/plan/comb.h"
#include "compiler/plan/fields.h"
#include "compiler/plan/head_scan.h"
#include "compiler/plan/plan.h"

namespace heddle::plan {

/// Writes the tables of a plan, one service after the other.
class TableWriter {
 public:
  TableWriter(const model::Policy& policy, const CodeBounds& bounds, PlanResult& out)
      : policy_(policy), bounds_(bounds), out_(out), choices_(out.plan.tables) {}

  void write();

 private:
  void write_builtin_rules();
  void write_workloads();
  void write_service(model::ServiceId id);
  void write_addresses(model::ServiceId id, std::uint32_t first_endpoint);
  void write_pools(model::ServiceId id, std::uint32_t first_endpoint);
  void write_pool(const model::Service& service, const model::PoolTarget& target,
                  std::uint32_t first_endpoint);
  std::vector<Decision> write_access(model::ServiceId id, const Fields& fields);
  void write_audits(model::ServiceId id, const Fields& fields, hd_service& entry);
  std::uint32_t access_rule(model::ServiceId id, const model::AccessRule& rule, hd_u32 action);
  std::uint32_t default_rule(model::ServiceId id, const std::string& name, const char* meaning, hd_u32 action);
  void write_slots(const model::Service& service, const std::vector<std::uint32_t>& members, std::uint32_t first_endpoint,
                   hd_pool& pool);
  [[nodiscard]] std::uint32_t number_of(const TestedName& name) const;
  [[nodiscard]] std::uint32_t name_of(const model::RequestKey& key) const;
  Decision access_decision(model::ServiceId id, const model::AccessRule& rule, hd_u32 action, const Fields& fields);
  void write_limits(model::ServiceId id, const Fields& fields);
  std::vector<Decision> write_route(model::ServiceId id, const Fields& fields);
  void write_rules(model::ServiceId id, Fields& fields);
  /// What the automata of a service's strings end in.
  struct Strings {
    std::map<std::uint32_t, std::uint32_t> starts;  // by slot: where its automaton begins
    Classes classes;
    std::map<std::uint32_t, std::vector<ListWords>> columns;
  };
  Strings write_automata(const Fields& fields, const model::Service& service);
  void write_automaton(const Field& field, const model::Service& service, Strings& strings);
  std::uint32_t write_connection_field(const Field& field, const Strings& strings);
  hd_field write_field(const Field& field, const Strings& strings);
  void write_fields(model::ServiceId id, const Fields& fields, const Strings& strings);
  /// As code, in `to`, or else as a chooser; whoever becomes what says which bits it wants.
  std::optional<Chooser> choose_form(std::vector<Decision> decisions, const Classes& classes, Fields& fields, Rules& to);
  [[nodiscard]] std::size_t rules_in_code() const;
  /// Another service that the route of one sends to.
  struct Through {
    model::ServiceId from = 0;
    model::ServiceId to = 0;
    hd_service entry{};
    ServicePlan rules;
  };
  struct Entrance {
    std::uint32_t number = 0;  // in through_
    std::vector<Decision> access;
  };
  std::vector<Entrance> write_entrances(model::ServiceId id, const Fields& fields);
  [[nodiscard]] std::uint32_t through(model::ServiceId from, model::ServiceId to) const;
  void append_entrances();
  [[nodiscard]] std::uint32_t pool_number(const model::PoolTarget& pool) const;

  std::uint32_t add_rule(const RuleInfo& info, hd_rule rule);
  std::uint32_t add_outcome(model::ServiceId id, const char* what);
  hd_rule target_rule(const model::Target& target, const Fields& fields, model::ServiceId own);
  std::uint32_t add_text(const std::string& text);
  hd_text text_of(const std::string& text);
  hd_answer answer_of(const model::Respond& respond);
  /// `subject` makes `number` of `what`; more than `bound` cannot be compiled.
  void limit(source::Span span, const std::string& subject, std::size_t number, const char* what,
             std::size_t bound);

  Tables& tables() { return out_.plan.tables; }

  const model::Policy& policy_;
  const CodeBounds bounds_;
  std::size_t rules_in_code_ = 0;
  PlanResult& out_;
  ChoiceWriter choices_;
  Comb comb_;
  std::vector<TestedName> names_;  // of all services, sorted
  std::map<model::ServiceId, Fields> fields_;
  std::vector<std::uint32_t> first_pools_;
  std::vector<Through> through_;
  std::map<const model::AccessRule*, std::uint32_t> access_rules_;
  std::map<std::string, std::uint32_t> default_rules_;
};

}  // namespace heddle::plan
