#include "compiler/plan/tables.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <set>

#include "compiler/plan/hash.h"
#include "compiler/plan/head_scan.h"
#include "compiler/plan/maglev.h"
#include "compiler/plan/meaning.h"
#include "compiler/plan/placement.h"

namespace heddle::plan {
namespace {

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
    default:
      return "`path`";
  }
}

Fields collect_fields(const model::Service& service) {
  Fields fields;
  const auto collect = [&fields](const auto& rules) {
    for (const auto& rule : rules) {
      if (rule.when) fields.collect(*rule.when);
    }
  };
  if (service.access) collect(service.access->rules);
  if (service.access) collect(service.access->audits);
  if (service.audit) collect(service.audit->rules);
  collect(service.limits);
  for (const model::Limit& limit : service.limits) {
    for (const model::RequestKey& part : limit.key) fields.collect(part);
  }
  if (service.maglev_by) fields.collect(*service.maglev_by);
  if (!service.route) return fields;
  collect(service.route->rules);
  for (const model::RouteRule& rule : service.route->rules) {
    if (rule.target.by) fields.collect(*rule.target.by);
  }
  return fields;
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
    const auto [fields, is_new] = fields_.try_emplace(id, collect_fields(policy_.services[id]));
    for (const Field* field : fields->second.in_order()) {
      if (!field->name.empty()) names.insert({field->attribute, field->name});
    }
  }
  names_.assign(names.begin(), names.end());
  write_builtin_rules();
  write_workloads();
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
  tables().steps = comb_.steps();
  limit({}, "the policy", tables().steps.size(), "automaton steps", comb_limit);
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
    entry.digest = fnv1a("spiffe://" + caller.trust_domain + "/" + caller.path);
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
  entry.protocol = service.protocol == model::Protocol::http ? HD_PROTOCOL_HTTP : HD_PROTOCOL_TCP;
  entry.pool = static_cast<std::uint32_t>(out_.plan.pools.size());
  entry.name_offset = add_text(service.name);
  entry.name_length = static_cast<std::uint32_t>(service.name.size());
  if (service.at_most) entry.pending_max = service.at_most->pending;
  if (placement(service, policy_).tier == Tier::kernel) entry.flags |= HD_SERVICE_FAST;
  if (service.paths.mode == model::PathMode::merge) entry.flags |= HD_SERVICE_MERGE;
  if (service.paths.mode == model::PathMode::decode) entry.flags |= HD_SERVICE_DECODE;
  tables().services.push_back(entry);
  write_pools(id, first_endpoint);

  Fields& fields = fields_.at(id);
  const std::uint32_t words = fields.lay_out();
  tables().services[id].atom_words = words;
  limit(service.span, "service `" + service.name + "`", std::size_t{words} * 64,
        "different tests of strings", std::size_t{HD_ATOM_WORDS} * 64);
  write_fields(id, fields);
  out_.plan.services.emplace_back();
  write_access(id, fields);
  write_audits(id, fields);
  write_limits(id, fields);
  write_route(id, fields);
  tables().services[id].unhealthy_rule = add_outcome(id, "unhealthy");
  tables().services[id].full_rule = add_outcome(id, "full");
  tables().services[id].timeout_rule = add_outcome(id, "timeout");
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
  std::set<model::SocketAddress> own(service.addresses.begin(), service.addresses.end());
  for (const model::SocketAddress& address : own)
    tables().addresses.push_back({key_of(address), {id, HD_NONE}});
  for (std::size_t e = 0; e < service.endpoints.size(); ++e) {
    const model::SocketAddress& address = service.endpoints[e].address;
    if (!own.insert(address).second) continue;
    tables().addresses.push_back({key_of(address), {id, first_endpoint + static_cast<std::uint32_t>(e)}});
  }
}

void TableWriter::write_pools(model::ServiceId id, std::uint32_t first_endpoint) {
  const model::Service& service = policy_.services[id];
  write_pool(service, {}, first_endpoint);
  for (std::uint32_t s = 0; s < service.subsets.size(); ++s) write_pool(service, {s}, first_endpoint);
}

void TableWriter::write_pool(const model::Service& service, const model::PoolTarget& target,
                             std::uint32_t first_endpoint) {
  const std::string name = pool_name(target, service);
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
void TableWriter::write_access(model::ServiceId id, const Fields& fields) {
  const model::Service& service = policy_.services[id];
  std::vector<Decision>& decisions = out_.plan.services[id].access;
  std::vector<Decision> allows;
  if (service.access) {
    for (const model::AccessRule& rule : service.access->rules) {
      const bool denies = rule.effect == model::Effect::deny;
      (denies ? decisions : allows)
          .push_back(access_decision(id, rule, denies ? HD_ACTION_DENY : HD_ACTION_ALLOW, fields));
    }
  }
  decisions.insert(decisions.end(), allows.begin(), allows.end());
  hd_rule entry{};
  entry.service = id;
  entry.action = HD_ACTION_DENY;
  const bool only_audited = !service.access && service.audit;
  if (only_audited) entry.action = HD_ACTION_ALLOW;
  const RuleInfo info{model::rule_id("access", service.name, only_audited ? "audit" : "default"),
                      only_audited ? "allow" : "deny",
                      service.name,
                      {},
                      false};
  decisions.push_back({add_rule(info, entry), always()});
}

Decision TableWriter::access_decision(model::ServiceId id, const model::AccessRule& rule, hd_u32 action,
                                      const Fields& fields) {
  hd_rule entry{};
  entry.service = id;
  entry.action = action;
  const std::uint32_t number =
      add_rule({rule.id, meaning(rule, policy_), policy_.services[id].name, rule.span, true}, entry);
  Decision decision{number, both(callers_formula(rule.from), when_formula(rule.when, fields))};
  limit(rule.span, "rule `" + rule.id + "`", count_tests(decision.when), "tests", tests_of_a_rule);
  return decision;
}

/// Each rule that is audited for itself, and the audited block as one: what it would allow is not counted.
void TableWriter::write_audits(model::ServiceId id, const Fields& fields) {
  const model::Service& service = policy_.services[id];
  std::vector<std::vector<Decision>>& audits = out_.plan.audits;
  tables().services[id].first_audit = static_cast<std::uint32_t>(audits.size());
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
    hd_rule entry{};
    entry.service = id;
    entry.action = HD_ACTION_AUDIT;
    const std::string name = model::rule_id("access", service.name + " audit", "default");
    denies.push_back({add_rule({name, "deny", service.name, {}, false}, entry), always()});
    audits.push_back(std::move(denies));
  }
  tables().services[id].audit_count = static_cast<std::uint32_t>(audits.size()) - tables().services[id].first_audit;
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

hd_rule TableWriter::target_rule(const model::Target& target, const Fields& fields, std::uint32_t first_pool) {
  const auto pool_of = [first_pool](const model::PoolTarget& pool) {
    return first_pool + (pool.subset ? *pool.subset + 1 : 0);
  };
  hd_rule rule{};
  rule.first_answer = static_cast<std::uint32_t>(tables().answers.size());
  for (const model::Respond* answer : target.answers()) tables().answers.push_back(answer_of(*answer));
  rule.answers = static_cast<std::uint32_t>(tables().answers.size()) - rule.first_answer;
  limit(target.span, "this split", rule.answers, "parts that the mesh answers", HD_ANSWERS_MAX);
  switch (target.kind) {
    case model::Target::Kind::pool:
      rule.action = HD_ACTION_POOL;
      rule.target = pool_of(target.pool);
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
        const hd_u32 to = part.respond ? answer++ : pool_of(part.pool);
        tables().parts.push_back({part.weight_ppm, to, 0, part.respond ? part.respond->status : hd_u32{0}});
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

void TableWriter::write_route(model::ServiceId id, const Fields& fields) {
  const model::Service& service = policy_.services[id];
  const std::uint32_t first_pool = tables().services[id].pool;
  std::vector<Decision>& decisions = out_.plan.services[id].route;
  if (!service.route) {
    hd_rule rule = target_rule({}, fields, first_pool);
    rule.service = id;
    const RuleInfo info{model::rule_id("route", service.name, "otherwise"),
                        "otherwise -> " + service.name,
                        service.name,
                        {},
                        false};
    decisions.push_back({add_rule(info, rule), always()});
    return;
  }
  for (const model::RouteRule& rule : service.route->rules) {
    hd_rule entry = target_rule(rule.target, fields, first_pool);
    entry.service = id;
    entry.timeout_ms = rule.timeout_ms;
    const std::uint32_t number =
        add_rule({rule.id, meaning(rule, service, policy_), service.name, rule.span, true}, entry);
    decisions.push_back({number, both(always(), when_formula(rule.when, fields))});
    limit(rule.span, "rule `" + rule.id + "`", count_tests(decisions.back().when), "tests", tests_of_a_rule);
  }
}

hd_field TableWriter::write_field(const Field& field, const model::Service& service) {
  hd_field entry{};
  entry.atom_word = static_cast<hd_u16>(field.atom_word);
  entry.words = static_cast<hd_u16>(field.words());
  entry.flags = field.may_repeat ? HD_FIELD_MAY_REPEAT : 0;
  if (field.may_repeat && field.is_list) entry.flags |= HD_FIELD_LIST;
  if (field.attribute == model::Attribute::query) entry.flags |= HD_FIELD_ESCAPES;
  entry.sets = static_cast<std::uint32_t>(tables().sets.size());
  if (field.patterns.empty()) return entry;
  for (std::size_t p = 0; p < field.patterns.size(); ++p) {
    if (!field.patterns[p].graph) continue;
    if (classify({field.patterns[p]}, expression_limit).too_large)
      limit(field.places[p], "this expression", expression_limit + 1, "states or more", expression_limit);
  }
  const Classifier classifier = classify(field.patterns);
  if (classifier.too_large) {
    limit(service.span, "what service `" + service.name + "` asks of " + attribute_text(field),
          classifier.automaton.states.size(), "states together", state_limit);
    return entry;
  }
  entry.start = comb_.add(classifier.automaton);
  for (const std::vector<std::uint32_t>& set : classifier.sets) {
    std::vector<hd_u64> row(field.words());
    for (const std::uint32_t pattern : set) row[pattern / 64] |= std::uint64_t{1} << (pattern % 64);
    tables().sets.insert(tables().sets.end(), row.begin(), row.end());
  }
  return entry;
}

/// Its number in hd_fields; HD_NONE: nobody asks for it.
std::uint32_t TableWriter::write_connection_field(const Field& field, const model::Service& service) {
  if (field.patterns.empty()) return HD_NONE;
  tables().fields.push_back(write_field(field, service));
  return static_cast<std::uint32_t>(tables().fields.size() - 1);
}

void TableWriter::write_fields(model::ServiceId id, const Fields& fields) {
  const model::Service& service = policy_.services[id];
  hd_service& entry = tables().services[id];
  entry.address_field = write_connection_field(fields.address(), service);
  entry.port_field = write_connection_field(fields.port(), service);
  entry.first_field = static_cast<std::uint32_t>(tables().fields.size());
  if (service.protocol != model::Protocol::http) return;
  const std::vector<const Field*> in_order = fields.in_order();
  limit(service.span, "service `" + service.name + "`", in_order.size(), "tested strings of a request",
        HD_FIELDS_MAX);
  entry.field_count = static_cast<std::uint32_t>(in_order.size());
  bool cookies = false;
  for (std::uint32_t f = 0; f < in_order.size(); ++f) {
    tables().fields.push_back(write_field(*in_order[f], service));
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

PlanResult make_plan(const model::Policy& policy) {
  PlanResult result;
  find_misplaced(policy, result);
  TableWriter(policy, result).write();
  return result;
}

}  // namespace heddle::plan
