#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bpf_templates/include/heddle/abi.h"
#include "compiler/model/policy.h"

/// What the compiled policy will be: the conditions over bits of facts, and the tables that say which bits
/// hold. Nothing here knows LLVM or the kernel, and nothing here can fail for what a user wrote except by a
/// limit.
namespace heddle::plan {

/// A boolean combination of bits: of hd_facts where it becomes code, of the rows of slots where it becomes tables.
struct Formula {
  enum class Kind : std::uint8_t { always, atom, line_atom, identity, has_peer, filter, all, any, negation };
  Kind kind = Kind::always;
  std::uint32_t bit = 0;   // atom, line_atom, identity, filter
  std::uint32_t slot = 0;  // atom: whose test it is (enum hd_slot_number); line_atom: of a value on several lines
  std::vector<Formula> children;
};

/// Tests that one rule may consist of: a function of the compiled policy is no longer than a jump reaches.
inline constexpr std::size_t tests_of_a_rule = 2048;

/// How many tests there are in a formula.
std::size_t count_tests(const Formula& formula);

/// If `when` holds (and no earlier one's did), rule `rule` decides.
struct Decision {
  std::uint32_t rule = 0;
  Formula when;
};

/// A bit of a slot (enum hd_slot_number).
using Leaf = std::pair<std::uint32_t, std::uint32_t>;

/// One way in which a rule of a table may hold: one of the keys does (without keys: always), and the rest.
struct Alternative {
  std::uint32_t rule = 0;
  std::vector<Leaf> keys;
  Formula rest;
};

/// The rules of an access or a route in the order in which they are tried, the last of which always holds: as code, or where
/// there are many as tables.
struct Rules {
  std::vector<Decision> code;
  std::vector<Alternative> table;
};

struct ServicePlan {
  Rules access;
  Rules route;
};

/// A rule as people know it; index = index into hd_rules.
struct RuleInfo {
  std::string id;
  std::string meaning;  // the checked rule as text: what its counter belongs to
  std::string service;  // qualified; empty for the mesh's
  source::Span span;
  bool has_span = false;
};

struct PoolInfo {
  std::string name;  // `reviews`, `reviews.v1`
};

struct Tables {
  std::vector<hd_mesh> mesh;
  std::vector<hd_pattern> patterns;
  std::vector<hd_workload> workloads;
  std::vector<hd_service> services;
  std::vector<hd_rule> rules;
  std::vector<hd_part> parts;
  std::vector<hd_answer> answers;
  std::vector<hd_pool> pools;  // two per pool, see abi.h
  std::vector<hd_u32> members;
  std::vector<hd_u32> maglev;  // slots of pools, with the endpoint that each belongs to
  std::vector<hd_endpoint> endpoints;
  std::vector<hd_step> steps;
  std::vector<hd_field> fields;
  std::vector<hd_u64> sets;
  std::vector<hd_chooser> choosers;
  std::vector<hd_key> keys;
  std::vector<hd_u32> candidates;
  std::vector<hd_alternative> alternatives;
  std::vector<hd_test> tests;
  std::vector<hd_rate_limit> limits;
  std::vector<hd_limit_key> limit_keys;
  std::vector<std::pair<hd_address_key, hd_address>> addresses;
  std::vector<std::pair<hd_name_key, hd_u32>> names;
  std::string blob;
};

struct Plan {
  std::vector<ServicePlan> services;          // by model::ServiceId, and behind them for each target that is another service
  std::vector<std::vector<Decision>> limits;  // by number in hd_limits: one decision, which holds where the limit applies
  std::vector<std::vector<Decision>> audits;  // the first that holds is counted
  std::vector<model::ServiceId> throughs;     // of the entries of `services` behind those of the policy: whose route sends there
  std::vector<RuleInfo> rules;
  std::vector<PoolInfo> pools;
  Tables tables;
};

/// A bound of the compiled form that this policy exceeds: said with the service, the number and the bound.
struct LimitError {
  std::string what;
  source::Span span;
};

/// A rule that has to be decided in the kernel, and is not.
struct Misplaced {
  std::string rule;
  std::string tier;
  std::string why;
  source::Span span;  // of `require kernel`
};

struct PlanResult {
  Plan plan;
  std::vector<LimitError> errors;
  std::vector<Misplaced> misplaced;
};

/// How many rules an access or a route may have that becomes code; one with more becomes tables.
struct CodeBounds {
  std::size_t rules = 32;
  std::size_t tests_of_a_policy = 8192;  // in all code; with more than these
  std::size_t rules_if_crowded = 4;      // it is so many rules
};

PlanResult make_plan(const model::Policy& policy, const CodeBounds& bounds = {});

/// For `--emit plan`.
std::string describe(const Plan& plan, const model::Policy& policy);

}  // namespace heddle::plan
