#include "compiler/plan/tables.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>
#include <set>
#include <span>

#include "compiler/plan/hash.h"
#include "compiler/plan/head_scan.h"
#include "compiler/plan/maglev.h"
#include "compiler/plan/meaning.h"
#include "compiler/plan/peers.h"
#include "compiler/plan/placement.h"

namespace heddle::plan {
namespace {

hd_u32 protocol_number(model::Protocol protocol) {
  switch (protocol) {
    case model::Protocol::http:
    case model::Protocol::http2:  // of these there is no plan yet
    case model::Protocol::grpc:
      return HD_PROTOCOL_HTTP;
    case model::Protocol::tls:
      return HD_PROTOCOL_TLS;
    case model::Protocol::tcp:
      break;
  }
  return HD_PROTOCOL_TCP;
}

hd_u32 balance_kind(model::Balance balance) {
  switch (balance) {
    case model::Balance::random:
      return HD_BALANCE_RANDOM;
    case model::Balance::least_request:
      return HD_BALANCE_LEAST_REQUEST;
    case model::Balance::maglev:
      return HD_BALANCE_MAGLEV;
    case model::Balance::round_robin:
      break;
  }
  return HD_BALANCE_ROUND_ROBIN;
}

/// In what steps turns go through places: each place has one turn in `weight` consecutive ones whatever the
/// step, if it is coprime; steps near the golden section spread the turns of a heavy endpoint. Equal
/// endpoints take turns in the order of the page.
hd_u32 stride_of(hd_u32 weight, hd_u32 count) {
  if (weight == count) return 1;
  auto stride = static_cast<hd_u32>((std::uint64_t{weight} * 618034 + 500000) / 1000000);
  while (stride > 1 && std::gcd(stride, weight) != 1) --stride;
  return std::max(stride, hd_u32{1});
}

RuleInfo mesh_rule(const char* id) {
  RuleInfo info;
  info.id = id;
  info.meaning = id;
  return info;
}

std::string attribute_text(const Field& field) {
  switch (field.attribute) {
    case model::Attribute::header:
      return "header `" + field.name + "`";
    case model::Attribute::query:
      return "query `" + field.name + "`";
    case model::Attribute::cookie:
      return "cookie `" + field.name + "`";
    case model::Attribute::method:
      return "`method`";
    case model::Attribute::host:
      return "`host`";
    case model::Attribute::address:
      return "`address`";
    case model::Attribute::port:
      return "`port`";
    case model::Attribute::sni:
      return "`sni`";
    default:
      return "`path`";
  }
}

hd_address_key key_of(const model::SocketAddress& address) {
  hd_address_key key{};
  std::memcpy(key.address, address.ip.bytes.data(), sizeof(key.address));
  key.port = address.port;
  return key;
}

Formula always() {
  return {};
}

Formula both(Formula a, std::optional<Formula> b) {
  if (!b) return a;
  if (a.kind == Formula::Kind::always) return *std::move(b);
  Formula out;
  out.kind = Formula::Kind::all;
  out.children = {std::move(a), *std::move(b)};
  return out;
}

std::uint32_t sticky_of(const model::RequestKey& key, const Fields& fields) {
  return key.attribute == model::Attribute::address ? HD_STICKY_ADDRESS : fields.number_of(key);
}

hd_limit_key limit_key(const model::RequestKey& part, const Fields& fields) {
  if (part.attribute == model::Attribute::address) return {HD_KEY_ADDRESS, 0};
  if (part.attribute == model::Attribute::from) return {HD_KEY_IDENTITY, 0};
  return {HD_KEY_FIELD, fields.number_of(part)};
}

std::size_t count_tests(const model::Condition& condition) {
  std::size_t sum = condition.children.empty() ? 1 : 0;
  for (const model::Condition& child : condition.children) sum += count_tests(child);
  return sum;
}

std::optional<Formula> when_formula(const std::optional<model::Condition>& when, const Fields& fields) {
  if (!when) return std::nullopt;
  return fields.formula(*when);
}

}  // namespace

void TableWriter::write() {
  limit({}, "the policy", policy_.identities.size(), "identities", HD_IDENTITY_WORDS * std::size_t{64});
  if (!out_.errors.empty()) return;
  std::set<TestedName> names;
  for (model::ServiceId id = 0; id < policy_.services.size(); ++id) {
    const auto [fields, is_new] = fields_.try_emplace(id, collect_fields(policy_, id));
    fields->second.number();
    for (const Field* field : fields->second.in_order()) {
      if (!field->name.empty()) names.insert({field->attribute, field->name});
    }
  }
  names_.assign(names.begin(), names.end());
  rules_in_code_ = rules_in_code();
  write_builtin_rules();
  write_workloads();
  write_peers(policy_, tables());
  std::uint32_t pools = 0;
  for (const model::Service& service : policy_.services) {
    first_pools_.push_back(pools);
    pools += 1 + static_cast<std::uint32_t>(service.subsets.size());
  }
  std::set<model::Paths> modes;
  for (const model::Service& service : policy_.services) modes.insert(service.paths);
  const HeadScan head = head_scan(names_, modes);
  const std::vector<std::uint32_t> places = comb_.add_all(head.automaton);
  for (model::ServiceId id = 0; id < policy_.services.size(); ++id) {
    write_service(id);
    const hd_scan& states = head.states.at(policy_.services[id].paths);
    tables().services.back().scan = {.start = places[states.start],
                                     .target = places[states.target],
                                     .version = places[states.version],
                                     .line = places[states.line],
                                     .host = places[states.host]};
  }
  append_entrances();
  tables().steps = comb_.steps();
  limit({}, "the policy", tables().steps.size(), "automaton steps", comb_limit);
  limit({}, "the policy", tables().sets.size(), "words of tests", words_limit);
  limit({}, "the policy", tables().candidates.size(), "candidates in lists of rules", words_limit);
}

void TableWriter::limit(source::Span span, const std::string& subject, std::size_t number, const char* what,
                        std::size_t bound) {
  if (number <= bound) return;
  out_.errors.push_back({subject + " has " + std::to_string(number) + " " + what + ", and at most " +
                             std::to_string(bound) + " can be compiled",
                         span});
}

std::uint32_t TableWriter::add_text(const std::string& text) {
  const auto offset = static_cast<std::uint32_t>(tables().blob.size());
  tables().blob += text;
  return offset;
}

std::uint32_t TableWriter::add_rule(const RuleInfo& info, hd_rule rule) {
  rule.name_offset = add_text(info.id);
  rule.name_length = static_cast<std::uint32_t>(info.id.size());
  rule.digest = fnv1a(info.id);
  out_.plan.rules.push_back(info);
  tables().rules.push_back(rule);
  return static_cast<std::uint32_t>(tables().rules.size() - 1);
}

void TableWriter::write_builtin_rules() {
  hd_rule rule{};
  rule.service = HD_NONE;
  rule.action = HD_ACTION_BUILTIN;
  add_rule(mesh_rule(model::rule_malformed), rule);
  add_rule(mesh_rule(model::rule_path), rule);
  rule.action = policy_.outside == model::Outside::allow ? HD_ACTION_ALLOW : HD_ACTION_DENY;
  add_rule(mesh_rule(model::rule_outside), rule);
}

void TableWriter::write_workloads() {
  for (const model::Workload& workload : policy_.workloads) {
    const model::SpiffePattern& caller = policy_.identities[workload.identity].patterns.front();
    hd_workload entry{};
    for (std::size_t i = 0; i < policy_.identities.size(); ++i) {
      if (holds(policy_.identities[i], caller)) entry.identities[i / 64] |= std::uint64_t{1} << (i % 64);
    }
    const std::string spiffe = "spiffe://" + caller.trust_domain + "/" + caller.path;
    entry.digest = fnv1a(spiffe);
    entry.spiffe = text_of(spiffe);
    if (!workload.fast_path) entry.flags |= HD_WORKLOAD_NOT_FAST;
    tables().workloads.push_back(entry);
  }
}

void TableWriter::write_service(model::ServiceId id) {
  const model::Service& service = policy_.services[id];
  const auto first_endpoint = static_cast<std::uint32_t>(tables().endpoints.size());
  for (const model::Endpoint& endpoint : service.endpoints) {
    hd_endpoint entry{};
    std::memcpy(entry.address, endpoint.address.ip.bytes.data(), sizeof(entry.address));
    entry.port = endpoint.address.port;
    entry.service = id;
    entry.weight = endpoint.weight;
    entry.counted = service.at_most || service.balance == model::Balance::least_request ? 1 : 0;
    tables().endpoints.push_back(entry);
  }
  write_addresses(id, first_endpoint);

  hd_service entry{};
  entry.protocol = protocol_number(service.protocol);
  entry.pool = static_cast<std::uint32_t>(out_.plan.pools.size());
  entry.name_offset = add_text(service.name);
  entry.name_length = static_cast<std::uint32_t>(service.name.size());
  if (service.at_most) entry.pending_max = service.at_most->pending;
  entry.transport = transport_number(service);
  entry.identity = service.identity.value_or(HD_NONE);
  const Tier tier = placement(service, policy_).tier;
  if (tier == Tier::kernel) entry.flags |= HD_SERVICE_FAST;
  if (service.protocol == model::Protocol::tcp && tier == Tier::handler) entry.flags |= HD_SERVICE_ACCEPTED;
  if (service.paths.mode == model::PathMode::merge) entry.flags |= HD_SERVICE_MERGE;
  if (service.paths.mode == model::PathMode::decode) entry.flags |= HD_SERVICE_DECODE;
  tables().services.push_back(entry);
  write_pools(id, first_endpoint);

  write_rules(id, fields_.at(id));
  tables().services[id].unhealthy_rule = add_outcome(id, "unhealthy");
  tables().services[id].full_rule = add_outcome(id, "full");
  tables().services[id].timeout_rule = add_outcome(id, "timeout");
}

void TableWriter::write_rules(model::ServiceId id, Fields& fields) {
  const model::Service& service = policy_.services[id];
  std::vector<Decision> access = write_access(id, fields);
  write_audits(id, fields, tables().services[id]);
  const std::vector<Entrance> entrances = write_entrances(id, fields);
  write_limits(id, fields);
  std::vector<Decision> route = write_route(id, fields);
  Strings strings = write_automata(fields, service);
  ServicePlan& plan = out_.plan.services.emplace_back();
  if (!out_.errors.empty()) return;
  const std::optional<Chooser> access_chooser = choose_form(std::move(access), strings.classes, fields, plan.access);
  std::vector<std::optional<Chooser>> entrance_choosers;
  for (const Entrance& entrance : entrances)
    entrance_choosers.push_back(choose_form(entrance.access, strings.classes, fields, through_[entrance.number].rules.access));
  const std::optional<Chooser> route_chooser = choose_form(std::move(route), strings.classes, fields, plan.route);
  const std::span limits = std::span(out_.plan.limits).subspan(tables().services[id].first_limit);
  for (const std::vector<Decision>& applies : limits) fields.ask_by_code(applies.front().when);
  const std::span audits = std::span(out_.plan.audits).subspan(tables().services[id].first_audit);
  for (const std::vector<Decision>& audit : audits) {
    for (const Decision& decision : audit) fields.ask_by_code(decision.when);
  }

  const std::uint32_t words = fields.lay_out();
  limit(service.span, "service `" + service.name + "`", std::size_t{words} * 64,
        "different tests of strings", std::size_t{HD_ATOM_WORDS} * 64);
  std::vector<Rules*> in_code = {&plan.access, &plan.route};
  for (const Entrance& entrance : entrances) in_code.push_back(&through_[entrance.number].rules.access);
  for (Rules* rules : in_code) {
    for (Decision& decision : rules->code) fields.to_atoms(decision.when);
  }
  for (std::vector<Decision>& applies : limits) fields.to_atoms(applies.front().when);
  for (std::vector<Decision>& audit : audits) {
    for (Decision& decision : audit) fields.to_atoms(decision.when);
  }
  tables().services[id].atom_words = words;
  tables().services[id].filters = fields.filters();
  tables().services[id].filters_end = static_cast<std::uint32_t>(std::bit_width(fields.filters()));
  tables().services[id].access_chooser = choices_.write(access_chooser, fields, strings.columns);
  tables().services[id].route_chooser = choices_.write(route_chooser, fields, strings.columns);
  for (std::size_t e = 0; e < entrances.size(); ++e) {
    hd_service& entry = through_[entrances[e].number].entry;
    entry.atom_words = words;
    entry.access_chooser = choices_.write(entrance_choosers[e], fields, strings.columns);
    entry.route_chooser = HD_NONE;
  }
  write_fields(id, fields, strings);
}

/// The other services that the route sends to, as entries of their own.
std::vector<TableWriter::Entrance> TableWriter::write_entrances(model::ServiceId id, const Fields& fields) {
  std::vector<Entrance> entrances;
  for (const model::ServiceId other : model::other_targets(policy_, id)) {
    const auto number = static_cast<std::uint32_t>(through_.size());
    Through& through = through_.emplace_back();
    through.from = id;
    through.to = other;
    through.entry = tables().services[id];
    write_audits(other, fields, through.entry);
    entrances.push_back({number, write_access(other, fields)});
  }
  return entrances;
}

std::uint32_t TableWriter::through(model::ServiceId from, model::ServiceId to) const {
  if (from == to) return HD_NONE;
  const auto is_it = [&](const Through& each) { return each.from == from && each.to == to; };
  const auto found = std::find_if(through_.begin(), through_.end(), is_it);
  return static_cast<std::uint32_t>(policy_.services.size() + static_cast<std::size_t>(found - through_.begin()));
}

/// Behind the services of the policy. How a request to a target ends is the target's to say, but for its time.
void TableWriter::append_entrances() {
  for (Through& through : through_) {
    const hd_service& to = tables().services[through.to];
    through.entry.unhealthy_rule = to.unhealthy_rule;
    through.entry.full_rule = to.full_rule;
    through.entry.timeout_rule = tables().services[through.from].timeout_rule;
    through.entry.pending_max = to.pending_max;
    through.entry.pool = to.pool;
    through.entry.name_offset = to.name_offset;
    through.entry.name_length = to.name_length;
    through.entry.transport = to.transport;
    through.entry.identity = to.identity;
    tables().services.push_back(through.entry);
    out_.plan.services.push_back(std::move(through.rules));
    out_.plan.throughs.push_back(through.from);
  }
}

std::optional<Chooser> TableWriter::choose_form(std::vector<Decision> decisions, const Classes& classes, Fields& fields,
                                                Rules& to) {
  std::optional<Chooser> chooser;
  if (decisions.size() > rules_in_code_) chooser = make_chooser(decisions, classes);
  if (chooser) {
    for (const Alternative& alternative : chooser->alternatives) fields.ask_by_tables(alternative.rest);
    to.table = chooser->alternatives;
  } else {
    for (const Decision& decision : decisions) fields.ask_by_code(decision.when);
    to.code = std::move(decisions);
  }
  return chooser;
}

/// Few rules are fastest as code, but that grows with the number of services.
std::size_t TableWriter::rules_in_code() const {
  std::size_t tests = 0;
  const auto count = [&](const auto& rules) {
    if (rules.size() >= bounds_.rules) return;
    for (const auto& rule : rules) tests += 1 + (rule.when ? count_tests(*rule.when) : 0);
  };
  for (const model::Service& service : policy_.services) {
    if (service.access) count(service.access->rules);
    if (service.route) count(service.route->rules);
  }
  return tests > bounds_.tests_of_a_policy ? std::min(bounds_.rules, bounds_.rules_if_crowded) : bounds_.rules;
}

/// `service s/…`: how a request ends that was allowed and routed.
std::uint32_t TableWriter::add_outcome(model::ServiceId id, const char* what) {
  const std::string& service = policy_.services[id].name;
  hd_rule rule{};
  rule.action = HD_ACTION_BUILTIN;
  rule.service = id;
  return add_rule({model::rule_id("service", service, what), what, service, {}, false}, rule);
}

/// An address of the service wins over an equal endpoint of it: that is how a server joins the mesh as it
/// stands.
void TableWriter::write_addresses(model::ServiceId id, std::uint32_t first_endpoint) {
  const model::Service& service = policy_.services[id];
  std::map<model::SocketAddress, hd_u32> servers;
  for (std::uint32_t e = 0; e < service.endpoints.size(); ++e)
    servers.try_emplace(service.endpoints[e].address, first_endpoint + e);
  std::set<model::SocketAddress> own(service.addresses.begin(), service.addresses.end());
  for (const model::SocketAddress& address : own) {
    const auto server = servers.find(address);
    tables().addresses.push_back({key_of(address), {id, HD_NONE, server == servers.end() ? HD_NONE : server->second}});
  }
  for (const model::Endpoint& endpoint : service.endpoints) {
    if (!own.insert(endpoint.address).second) continue;
    const hd_u32 number = servers.at(endpoint.address);
    tables().addresses.push_back({key_of(endpoint.address), {id, number, number}});
  }
}

void TableWriter::write_pools(model::ServiceId id, std::uint32_t first_endpoint) {
  const model::Service& service = policy_.services[id];
  write_pool(service, {id, {}}, first_endpoint);
  for (std::uint32_t s = 0; s < service.subsets.size(); ++s) write_pool(service, {id, s}, first_endpoint);
}

void TableWriter::write_pool(const model::Service& service, const model::PoolTarget& target,
                             std::uint32_t first_endpoint) {
  const std::string name = pool_name(target, policy_);
  hd_pool pool{};
  pool.balance = balance_kind(service.balance);
  pool.prefers = service.prefer.empty() ? 0 : 1;
  pool.digest = fnv1a(name);
  std::vector<std::uint32_t> members;
  for (std::uint32_t e = 0; e < service.endpoints.size(); ++e) members.push_back(e);
  if (target.subset) members = service.subsets[*target.subset].endpoints;
  for (const bool v4_only : {false, true}) {
    const auto is_v6 = [&](std::uint32_t e) { return !service.endpoints[e].address.ip.is_v4(); };
    const bool other = std::erase_if(members, [&](std::uint32_t e) { return v4_only && is_v6(e); }) != 0;
    pool.first = static_cast<std::uint32_t>(tables().members.size());
    pool.weight = 0;
    for (const std::uint32_t e : members) {
      tables().members.push_back(first_endpoint + e);
      pool.weight += service.endpoints[e].weight;
    }
    pool.count = static_cast<std::uint32_t>(members.size());
    pool.stride = stride_of(pool.weight, pool.count);
    if (!v4_only || other) write_slots(service, members, first_endpoint, pool);
    tables().pools.push_back(pool);
  }
  out_.plan.pools.push_back({name});
}

/// Of a pool with `balance maglev`.
void TableWriter::write_slots(const model::Service& service, const std::vector<std::uint32_t>& members,
                              std::uint32_t first_endpoint, hd_pool& pool) {
  if (service.balance != model::Balance::maglev) return;
  limit(service.span, "service `" + service.name + "`", members.size(), "endpoints balanced by `maglev`", maglev_endpoints);
  if (!out_.errors.empty()) return;
  pool.sticky = service.maglev_by ? name_of(*service.maglev_by) : HD_NONE;
  pool.first_slot = static_cast<std::uint32_t>(tables().maglev.size());
  std::vector<const model::Endpoint*> endpoints;
  for (const std::uint32_t e : members) endpoints.push_back(&service.endpoints[e]);
  for (const std::uint32_t place : maglev_slots(endpoints)) tables().maglev.push_back(first_endpoint + members[place]);
  pool.slots = static_cast<std::uint32_t>(tables().maglev.size()) - pool.first_slot;
  limit(service.span, "the policy", tables().maglev.size(), "slots of pools balanced by `maglev`", maglev_limit);
}

/// Which number scans know it by.
std::uint32_t TableWriter::number_of(const TestedName& name) const {
  const auto place = std::lower_bound(names_.begin(), names_.end(), name) - names_.begin();
  return name_number(name, static_cast<std::size_t>(place));
}

std::uint32_t TableWriter::name_of(const model::RequestKey& key) const {
  if (key.attribute == model::Attribute::address) return HD_STICKY_ADDRESS;
  return number_of({key.attribute, key.name});
}

/// Denies are tried before allows: any that matches denies.
std::vector<Decision> TableWriter::write_access(model::ServiceId id, const Fields& fields) {
  const model::Service& service = policy_.services[id];
  std::vector<Decision> decisions;
  std::vector<Decision> allows;
  if (service.access) {
    for (const model::AccessRule& rule : service.access->rules) {
      const bool denies = rule.effect == model::Effect::deny;
      (denies ? decisions : allows)
          .push_back(access_decision(id, rule, denies ? HD_ACTION_DENY : HD_ACTION_ALLOW, fields));
    }
  }
  decisions.insert(decisions.end(), allows.begin(), allows.end());
  const bool only_audited = model::is_on_trial(service);
  const std::string name = model::rule_id("access", service.name, only_audited ? "audit" : "default");
  const std::uint32_t last = only_audited ? default_rule(id, name, "allow", HD_ACTION_ALLOW)
                                          : default_rule(id, name, "deny", HD_ACTION_DENY);
  decisions.push_back({last, always()});
  return decisions;
}

/// The rules of an access are the same ones for every service that targets this one.
std::uint32_t TableWriter::access_rule(model::ServiceId id, const model::AccessRule& rule, hd_u32 action) {
  const auto [found, is_new] = access_rules_.try_emplace(&rule, 0);
  if (!is_new) return found->second;
  hd_rule entry{};
  entry.service = id;
  entry.action = action;
  found->second = add_rule({rule.id, meaning(rule, policy_), policy_.services[id].name, rule.span, true}, entry);
  return found->second;
}

std::uint32_t TableWriter::default_rule(model::ServiceId id, const std::string& name, const char* meaning, hd_u32 action) {
  const auto [found, is_new] = default_rules_.try_emplace(name, 0);
  if (!is_new) return found->second;
  hd_rule entry{};
  entry.service = id;
  entry.action = action;
  found->second = add_rule({name, meaning, policy_.services[id].name, {}, false}, entry);
  return found->second;
}

Decision TableWriter::access_decision(model::ServiceId id, const model::AccessRule& rule, hd_u32 action,
                                      const Fields& fields) {
  Decision decision{access_rule(id, rule, action), both(callers_formula(rule.from), when_formula(rule.when, fields))};
  limit(rule.span, "rule `" + rule.id + "`", count_tests(decision.when), "tests", tests_of_a_rule);
  return decision;
}

/// Each rule that is audited for itself, and the audited block as one: what it would allow is not counted.
void TableWriter::write_audits(model::ServiceId id, const Fields& fields, hd_service& entry) {
  const model::Service& service = policy_.services[id];
  std::vector<std::vector<Decision>>& audits = out_.plan.audits;
  entry.first_audit = static_cast<std::uint32_t>(audits.size());
  if (service.access) {
    for (const model::AccessRule& rule : service.access->audits)
      audits.push_back({access_decision(id, rule, HD_ACTION_AUDIT, fields)});
  }
  if (service.audit) {
    std::vector<Decision> denies, allows;
    for (const model::AccessRule& rule : service.audit->rules) {
      const bool denied = rule.effect == model::Effect::deny;
      (denied ? denies : allows)
          .push_back(access_decision(id, rule, denied ? HD_ACTION_AUDIT : HD_ACTION_ALLOW, fields));
    }
    denies.insert(denies.end(), allows.begin(), allows.end());
    const std::string name = model::rule_id("access", service.name + " audit", "default");
    denies.push_back({default_rule(id, name, "deny", HD_ACTION_AUDIT), always()});
    audits.push_back(std::move(denies));
  }
  entry.audit_count = static_cast<std::uint32_t>(audits.size()) - entry.first_audit;
}

hd_text TableWriter::text_of(const std::string& text) {
  return {add_text(text), static_cast<hd_u32>(text.size())};
}

hd_answer TableWriter::answer_of(const model::Respond& respond) {
  hd_answer answer{};
  answer.body = text_of(respond.body);
  answer.type = text_of(respond.type);
  if (!respond.redirect) return answer;
  const model::Redirect& redirect = *respond.redirect;
  answer.flags = HD_ANSWER_REDIRECT;
  if (redirect.https) answer.flags |= HD_ANSWER_HTTPS;
  answer.host = text_of(redirect.host);
  answer.path = text_of(redirect.path);
  answer.prefix = text_of(redirect.prefix);
  answer.port = redirect.port;
  return answer;
}

/// Every service has a pool of all its endpoints, and one for each subset.
std::uint32_t TableWriter::pool_number(const model::PoolTarget& pool) const {
  return first_pools_[pool.service] + (pool.subset ? *pool.subset + 1 : 0);
}

hd_rule TableWriter::target_rule(const model::Target& target, const Fields& fields, model::ServiceId own) {
  hd_rule rule{};
  rule.through = HD_NONE;
  rule.first_answer = static_cast<std::uint32_t>(tables().answers.size());
  for (const model::Respond* answer : target.answers()) tables().answers.push_back(answer_of(*answer));
  rule.answers = static_cast<std::uint32_t>(tables().answers.size()) - rule.first_answer;
  limit(target.span, "this split", rule.answers, "parts that the mesh answers", HD_ANSWERS_MAX);
  switch (target.kind) {
    case model::Target::Kind::pool:
      rule.action = HD_ACTION_POOL;
      rule.target = pool_number(target.pool);
      rule.through = through(own, target.pool.service);
      break;
    case model::Target::Kind::respond:
      rule.action = HD_ACTION_RESPOND;
      rule.status = target.respond.status;
      break;
    case model::Target::Kind::split: {
      rule.action = HD_ACTION_SPLIT;
      rule.sticky = target.by ? sticky_of(*target.by, fields) : HD_NONE;
      rule.target = static_cast<std::uint32_t>(tables().parts.size());
      rule.parts = static_cast<std::uint32_t>(target.split.size());
      hd_u32 answer = 0;
      for (const model::SplitPart& part : target.split) {
        const hd_u32 to = part.respond ? answer++ : pool_number(part.pool);
        tables().parts.push_back({part.weight_ppm, to, 0, part.respond ? part.respond->status : hd_u32{0},
                                  part.respond ? HD_NONE : through(own, part.pool.service)});
      }
      break;
    }
  }
  return rule;
}

void TableWriter::write_limits(model::ServiceId id, const Fields& fields) {
  const model::Service& service = policy_.services[id];
  tables().services[id].first_limit = static_cast<std::uint32_t>(tables().limits.size());
  tables().services[id].limit_count = static_cast<std::uint32_t>(service.limits.size());
  for (const model::Limit& limit : service.limits) {
    hd_rule rule{};
    rule.service = id;
    rule.action = HD_ACTION_LIMIT;
    const std::uint32_t number = add_rule({limit.id, meaning(limit, policy_), service.name, limit.span, true}, rule);
    hd_rate_limit entry{};
    entry.rule = number;
    entry.interval = (limit.period_ns * HD_TICKS + limit.count - 1) / limit.count;
    entry.tolerance = entry.interval * (limit.burst - 1);
    entry.first_key = static_cast<std::uint32_t>(tables().limit_keys.size());
    entry.key_count = static_cast<std::uint32_t>(limit.key.size());
    for (const model::RequestKey& part : limit.key) tables().limit_keys.push_back(limit_key(part, fields));
    tables().limits.push_back(entry);
    out_.plan.limits.push_back({{number, both(always(), when_formula(limit.when, fields))}});
    this->limit(limit.span, "limit `" + limit.id + "`", count_tests(out_.plan.limits.back().front().when), "tests",
                tests_of_a_rule);
  }
}

std::vector<Decision> TableWriter::write_route(model::ServiceId id, const Fields& fields) {
  const model::Service& service = policy_.services[id];
  std::vector<Decision> decisions;
  if (!service.route) {
    model::Target all;
    all.pool.service = id;
    hd_rule rule = target_rule(all, fields, id);
    rule.service = id;
    const RuleInfo info{model::rule_id("route", service.name, "otherwise"),
                        "otherwise -> " + service.name,
                        service.name,
                        {},
                        false};
    decisions.push_back({add_rule(info, rule), always()});
    return decisions;
  }
  for (const model::RouteRule& rule : service.route->rules) {
    hd_rule entry = target_rule(rule.target, fields, id);
    entry.service = id;
    entry.timeout_ms = rule.timeout_ms;
    const std::uint32_t number =
        add_rule({rule.id, meaning(rule, policy_), service.name, rule.span, true}, entry);
    decisions.push_back({number, both(always(), when_formula(rule.when, fields))});
    limit(rule.span, "rule `" + rule.id + "`", count_tests(decisions.back().when), "tests", tests_of_a_rule);
  }
  return decisions;
}

TableWriter::Strings TableWriter::write_automata(const Fields& fields, const model::Service& service) {
  Strings strings;
  for (const hd_workload& workload : tables().workloads) {
    std::vector<std::uint32_t>& held = strings.classes[HD_SLOT_CALLER].emplace_back();
    for (std::uint32_t i = 0; i < policy_.identities.size(); ++i) {
      if (workload.identities[i / 64] >> (i % 64) & 1) held.push_back(i);
    }
  }
  strings.classes.try_emplace(HD_SLOT_CALLER);
  write_automaton(fields.address(), service, strings);
  write_automaton(fields.port(), service, strings);
  if (service.protocol == model::Protocol::tcp) return strings;
  const std::vector<const Field*> in_order = fields.in_order();
  limit(service.span, "service `" + service.name + "`", in_order.size(), "tested strings of a request",
        HD_FIELDS_MAX);
  for (const Field* field : in_order) write_automaton(*field, service, strings);
  return strings;
}

void TableWriter::write_automaton(const Field& field, const model::Service& service, Strings& strings) {
  if (field.patterns.empty()) return;
  for (std::size_t p = 0; p < field.patterns.size(); ++p) {
    if (!field.patterns[p].graph) continue;
    if (classify({field.patterns[p]}, expression_limit).too_large)
      limit(field.spans[p], "this expression", expression_limit + 1, "states or more", expression_limit);
  }
  Classifier classifier = classify(field.patterns);
  if (classifier.too_large) {
    limit(service.span, "what service `" + service.name + "` asks of " + attribute_text(field),
          classifier.automaton.states.size(), "states together", classifier.bound);
    return;
  }
  strings.starts[field.slot] = comb_.add(classifier.automaton);
  strings.classes[field.slot] = std::move(classifier.sets);
}

hd_field TableWriter::write_field(const Field& field, const Strings& strings) {
  hd_field entry{};
  entry.atom_word = static_cast<hd_u16>(field.atom_word);
  entry.words = static_cast<hd_u16>(field.atom_words);
  entry.flags = field.may_repeat ? HD_FIELD_MAY_REPEAT : 0;
  if (field.may_repeat && field.is_list) entry.flags |= HD_FIELD_LIST;
  if (field.attribute == model::Attribute::query) entry.flags |= HD_FIELD_ESCAPES;
  entry.sets = static_cast<std::uint32_t>(tables().sets.size());
  if (field.patterns.empty()) return entry;
  entry.start = strings.starts.at(field.slot);
  const auto columns = strings.columns.find(field.slot);
  const std::size_t lists = columns == strings.columns.end() ? 0 : columns->second.size();
  entry.stride = static_cast<hd_u16>(field.words + lists);
  const auto& sets = strings.classes.at(field.slot);
  for (std::size_t c = 0; c < sets.size(); ++c) {
    std::vector<hd_u64> row(entry.stride);
    for (const std::uint32_t pattern : sets[c]) {
      const std::uint32_t bit = field.bits[pattern];
      if (bit != HD_NONE) row[bit / 64] |= std::uint64_t{1} << (bit % 64);
    }
    for (std::size_t l = 0; l < lists; ++l) row[field.words + l] = columns->second[l][c];
    tables().sets.insert(tables().sets.end(), row.begin(), row.end());
  }
  return entry;
}

/// Its number in hd_fields; HD_NONE: nobody asks for it.
std::uint32_t TableWriter::write_connection_field(const Field& field, const Strings& strings) {
  if (field.patterns.empty()) return HD_NONE;
  tables().fields.push_back(write_field(field, strings));
  return static_cast<std::uint32_t>(tables().fields.size() - 1);
}

void TableWriter::write_fields(model::ServiceId id, const Fields& fields, const Strings& strings) {
  const model::Service& service = policy_.services[id];
  hd_service& entry = tables().services[id];
  entry.address_field = write_connection_field(fields.address(), strings);
  entry.port_field = write_connection_field(fields.port(), strings);
  entry.first_field = static_cast<std::uint32_t>(tables().fields.size());
  if (service.protocol == model::Protocol::tcp) return;
  const std::vector<const Field*> in_order = fields.in_order();
  entry.field_count = static_cast<std::uint32_t>(in_order.size());
  bool cookies = false;
  for (std::uint32_t f = 0; f < in_order.size(); ++f) {
    tables().fields.push_back(write_field(*in_order[f], strings));
    if (in_order[f]->name.empty()) continue;
    const TestedName name{in_order[f]->attribute, in_order[f]->name};
    tables().names.push_back({{id, number_of(name)}, f});
    // `Connection` may not name the header that they stand in.
    if (name.attribute != model::Attribute::cookie || cookies) continue;
    tables().names.push_back({{id, HD_NAME_COOKIE}, f});
    cookies = true;
  }
}

namespace {

void require_kernel(const std::string& rule, const std::optional<source::Span>& required, const Placement& placed,
                    PlanResult& out) {
  if (required && placed.tier == Tier::handler)
    out.misplaced.push_back({rule, tier_name(placed.tier), placed.why, *required});
}

void find_misplaced(const model::Policy& policy, PlanResult& out) {
  for (const model::Service& service : policy.services) {
    const Placement own = placement(service, policy);
    if (service.access) {
      for (const model::AccessRule& rule : service.access->rules) require_kernel(rule.id, rule.require_kernel, own, out);
    }
    if (!service.route) continue;
    for (const model::RouteRule& rule : service.route->rules)
      require_kernel(rule.id, rule.require_kernel, placement(rule, own), out);
  }
}

}  // namespace

PlanResult make_plan(const model::Policy& policy, const CodeBounds& bounds) {
  PlanResult result;
  find_misplaced(policy, result);
  TableWriter(policy, bounds, result).write();
  return result;
}

}  // namespace heddle::plan
