#include <string>

#include "compiler/plan/plan.h"

namespace heddle::plan {
namespace {

std::string text(const Formula& formula);

std::string joined(const Formula& formula, const char* word) {
  std::string out;
  for (const Formula& child : formula.children) out += (out.empty() ? "(" : word) + text(child);
  return out + ")";
}

std::string text(const Formula& formula) {
  switch (formula.kind) {
    case Formula::Kind::always:
      return "always";
    case Formula::Kind::atom:
      return "atom " + std::to_string(formula.bit);
    case Formula::Kind::identity:
      return "identity " + std::to_string(formula.bit);
    case Formula::Kind::has_peer:
      return "peer";
    case Formula::Kind::all:
      return joined(formula, " and ");
    case Formula::Kind::any:
      return joined(formula, " or ");
    case Formula::Kind::negation:
      return "not " + text(formula.children.front());
  }
  return {};
}

std::string table_line(const char* name, std::size_t entries, std::size_t size) {
  return std::string("  ") + name + ": " + std::to_string(entries) + " of " + std::to_string(size) +
         " bytes\n";
}

}  // namespace

std::string describe(const Plan& plan, const model::Policy& policy) {
  std::string out;
  for (std::size_t s = 0; s < plan.services.size(); ++s) {
    const model::Service& service = policy.services[s];
    out += "service " + service.name +
           (service.protocol == model::Protocol::http ? ": handler\n" : ": connect\n");
    for (const auto* decisions : {&plan.services[s].access, &plan.services[s].route}) {
      for (const Decision& decision : *decisions) {
        const RuleInfo& rule = plan.rules[decision.rule];
        out += "  " + rule.id + ": " + text(decision.when) + "\n    " + rule.meaning + "\n";
      }
    }
  }
  const Tables& t = plan.tables;
  out += "tables\n";
  out += table_line("hd_workloads", t.workloads.size(), sizeof(hd_workload));
  out += table_line("hd_services", t.services.size(), sizeof(hd_service));
  out += table_line("hd_rules", t.rules.size(), sizeof(hd_rule));
  out += table_line("hd_parts", t.parts.size(), sizeof(hd_part));
  out += table_line("hd_answers", t.answers.size(), sizeof(hd_answer));
  out += table_line("hd_pools", t.pools.size(), sizeof(hd_pool));
  out += table_line("hd_members", t.members.size(), sizeof(hd_u32));
  out += table_line("hd_maglev", t.maglev.size(), sizeof(hd_u32));
  out += table_line("hd_endpoints", t.endpoints.size(), sizeof(hd_endpoint));
  out += table_line("hd_addresses", t.addresses.size(), sizeof(hd_address_key) + sizeof(hd_address));
  out += table_line("hd_fields", t.fields.size(), sizeof(hd_field));
  out += table_line("hd_names", t.names.size(), sizeof(hd_name_key) + sizeof(hd_u32));
  out += table_line("hd_steps", t.steps.size(), sizeof(hd_step));
  out += table_line("hd_sets", t.sets.size(), sizeof(hd_u64));
  out += table_line("hd_blob", 1, t.blob.size());
  return out;
}

}  // namespace heddle::plan
