#include <string>

#include "compiler/plan/plan.h"

namespace heddle::plan {
namespace {

/// What an atom is called: by its bit among those of the code, or by its slot and its number there.
enum class Atoms : std::uint8_t { bits, slots };

std::string text(const Formula& formula, Atoms atoms = Atoms::bits);

std::string joined(const Formula& formula, const char* word, Atoms atoms) {
  std::string out;
  for (const Formula& child : formula.children) out += (out.empty() ? "(" : word) + text(child, atoms);
  return out + ")";
}

std::string text(const Formula& formula, Atoms atoms) {
  switch (formula.kind) {
    case Formula::Kind::always:
      return "always";
    case Formula::Kind::atom:
    case Formula::Kind::line_atom:
      return "atom " + (atoms == Atoms::slots ? std::to_string(formula.slot) + "." : "") + std::to_string(formula.bit);
    case Formula::Kind::identity:
      return "identity " + std::to_string(formula.bit);
    case Formula::Kind::has_peer:
      return "peer";
    case Formula::Kind::filter:
      return "extern " + std::to_string(formula.bit);
    case Formula::Kind::all:
      return joined(formula, " and ", atoms);
    case Formula::Kind::any:
      return joined(formula, " or ", atoms);
    case Formula::Kind::negation:
      return "not " + text(formula.children.front(), atoms);
  }
  return {};
}

std::string text(const Leaf& leaf) {
  const auto& [slot, bit] = leaf;
  return slot == HD_SLOT_CALLER ? "identity " + std::to_string(bit)
                                : "atom " + std::to_string(slot) + "." + std::to_string(bit);
}

std::string text(const Alternative& alternative) {
  std::string keys;
  for (const Leaf& key : alternative.keys) keys += (keys.empty() ? "on " : " or ") + text(key);
  if (keys.empty()) return text(alternative.rest, Atoms::slots);
  if (alternative.rest.kind == Formula::Kind::always) return keys;
  return keys + " if " + text(alternative.rest, Atoms::slots);
}

std::string text(const Rules& rules, const Plan& plan) {
  std::string out;
  const auto add = [&](const RuleInfo& rule, const std::string& when) {
    out += "  " + rule.id + ": " + when + "\n    " + rule.meaning + "\n";
  };
  for (const Decision& decision : rules.code) add(plan.rules[decision.rule], text(decision.when));
  for (const Alternative& alternative : rules.table) add(plan.rules[alternative.rule], text(alternative));
  return out;
}

std::string table_line(const char* name, std::size_t entries, std::size_t size) {
  return std::string("  ") + name + ": " + std::to_string(entries) + " of " + std::to_string(size) +
         " bytes\n";
}

}  // namespace

std::string describe(const Plan& plan, const model::Policy& policy) {
  std::string out;
  for (std::size_t s = 0; s < plan.services.size(); ++s) {
    const bool target = s >= policy.services.size();
    const model::Service& service = policy.services[target ? plan.throughs[s - policy.services.size()] : s];
    out += (target ? "target of service " : "service ") + service.name +
           (model::has_requests(service.protocol) ? ": handler\n" : ": connect\n");
    out += text(plan.services[s].access, plan) + text(plan.services[s].route, plan);
  }
  const Tables& t = plan.tables;
  out += "tables\n";
  out += table_line("hd_workloads", t.workloads.size(), sizeof(hd_workload));
  out += table_line("hd_patterns", t.patterns.size(), sizeof(hd_pattern));
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
  out += table_line("hd_choosers", t.choosers.size(), sizeof(hd_chooser));
  out += table_line("hd_keys", t.keys.size(), sizeof(hd_key));
  out += table_line("hd_candidates", t.candidates.size(), sizeof(hd_u32));
  out += table_line("hd_alternatives", t.alternatives.size(), sizeof(hd_alternative));
  out += table_line("hd_tests", t.tests.size(), sizeof(hd_test));
  out += table_line("hd_blob", 1, t.blob.size());
  return out;
}

}  // namespace heddle::plan
