#pragma once

#include <map>
#include <string>
#include <vector>

#include "compiler/plan/comb.h"
#include "compiler/plan/fields.h"
#include "compiler/plan/head_scan.h"
#include "compiler/plan/plan.h"

namespace heddle::plan {

/// Writes the tables of a plan, one service after the other.
class TableWriter {
 public:
  TableWriter(const model::Policy& policy, PlanResult& out) : policy_(policy), out_(out) {}

  void write();

 private:
  void write_builtin_rules();
  void write_workloads();
  void write_service(model::ServiceId id);
  void write_addresses(model::ServiceId id, std::uint32_t first_endpoint);
  void write_pools(model::ServiceId id, std::uint32_t first_endpoint);
  void write_pool(const model::Service& service, const model::PoolTarget& target,
                  std::uint32_t first_endpoint);
  void write_slots(const model::Service& service, const std::vector<std::uint32_t>& members, std::uint32_t first_endpoint,
                   hd_pool& pool);
  [[nodiscard]] std::uint32_t number_of(const TestedName& name) const;
  [[nodiscard]] std::uint32_t name_of(const model::RequestKey& key) const;
  void write_access(model::ServiceId id, const Fields& fields);
  void write_audits(model::ServiceId id, const Fields& fields);
  Decision access_decision(model::ServiceId id, const model::AccessRule& rule, hd_u32 action, const Fields& fields);
  void write_limits(model::ServiceId id, const Fields& fields);
  void write_route(model::ServiceId id, const Fields& fields);
  void write_fields(model::ServiceId id, const Fields& fields);
  std::uint32_t write_connection_field(const Field& field, const model::Service& service);
  hd_field write_field(const Field& field, const model::Service& service);

  std::uint32_t add_rule(const RuleInfo& info, hd_rule rule);
  std::uint32_t add_outcome(model::ServiceId id, const char* what);
  hd_rule target_rule(const model::Target& target, const Fields& fields, std::uint32_t first_pool);
  std::uint32_t add_text(const std::string& text);
  hd_text text_of(const std::string& text);
  hd_answer answer_of(const model::Respond& respond);
  /// `subject` makes `number` of `what`; more than `bound` cannot be compiled.
  void limit(source::Span span, const std::string& subject, std::size_t number, const char* what,
             std::size_t bound);

  Tables& tables() { return out_.plan.tables; }

  const model::Policy& policy_;
  PlanResult& out_;
  Comb comb_;
  std::vector<TestedName> names_;  // of all services, sorted
  std::map<model::ServiceId, Fields> fields_;
};

}  // namespace heddle::plan
