#include "compiler/eval/decision.h"

#include <algorithm>
#include <array>

#include "compiler/eval/answer.h"
#include "compiler/eval/balance.h"
#include "compiler/eval/cors.h"
#include "compiler/eval/draw.h"
#include "compiler/eval/framing.h"
#include "compiler/eval/head.h"
#include "compiler/eval/limit_key.h"
#include "compiler/eval/phrases.h"
#include "compiler/eval/server_name.h"

namespace heddle::eval {

Decision::Decision(const model::Policy& policy, const World& world, const std::vector<TestedNames>& tested,
                   const Request& request, Accounts& accounts, MaglevSlots& slots,
                   std::vector<Step>* trace, const FilterAnswers& filters)
    : policy_(policy),
      world_(world),
      tested_(tested),
      request_(request),
      accounts_(accounts),
      slots_(slots),
      trace_(trace) {
  facts_.filters = filters;
}

Outcome Decision::run() {
  if (decide_destination()) return outcome_;
  facts_.source = request_.source.ip;
  facts_.port = request_.destination.port;
  facts_.spiffe = own_spiffe(policy_, request_.spiffe);
  facts_.user = request_.user;
  if ((is_http() && decide_form()) || (is_tls() && decide_name())) {
    say_why();
    return outcome_;
  }
  find_caller();
  if (answer_preflight()) {
    outcome_.asked_source = facts_.asked_source;
    return outcome_;
  }
  if (!decide_access(service()) && !decide_limits()) {
    if (destination_->endpoint) {
      decide_direct();
    } else {
      decide_route();
    }
  }
  outcome_.asked_source = facts_.asked_source;
  say_why();
  return outcome_;
}

/// Whoever gets no answer of a server or of the policy gets a text that says why.
void Decision::say_why() {
  if (outcome_.status == 0 || outcome_.verdict == Verdict::respond) return;
  outcome_.headers["content-type"] = model::plain_text;
  if (outcome_.retry_after != 0) outcome_.headers["retry-after"] = std::to_string(outcome_.retry_after);
}

bool Decision::decide_destination() {
  destination_ = request_.tunnelled ? find_server(policy_, request_.destination) : find_destination(policy_, request_.destination);
  note([&] { return destination_step(policy_, request_, destination_); });
  if (destination_) {
    outcome_.service = destination_->service;
    return false;
  }
  const bool leaves = policy_.outside == model::Outside::allow && !request_.tunnelled;  // no tunnel leads out of the mesh
  outcome_.verdict = leaves ? Verdict::outside : Verdict::deny;
  outcome_.rule = model::rule_outside;
  return true;
}

bool Decision::decide_form() {
  Refusal refusal;
  head_ = read_head(request_.head, service().paths, refusal);
  if (head_) {
    auto wrong = service().protocol == model::Protocol::http ? std::nullopt : check_http_2(*head_);
    if (!wrong) wrong = check_framing(*head_, tested_[destination_->service]);
    if (!wrong) {
      note([&] { return form_step(*head_); });
      facts_.head = &*head_;
      facts_.path = comparable_path(head_->path);
      return false;
    }
    refusal = *wrong;
  }
  refuse(refusal);
  return true;
}

/// What the client asks for before it says anything that could be answered.
bool Decision::decide_name() {
  auto refusal = request_.sni ? check_server_name(*request_.sni) : std::nullopt;
  if (refusal) {
    refusal->status = 0;  // nobody is answered
    refuse(*refusal);
    return true;
  }
  note([&] { return name_step(request_); });
  facts_.sni = request_.sni;
  return false;
}

void Decision::refuse(const Refusal& refusal) {
  note([&] { return refusal_step(refusal); });
  outcome_.verdict = Verdict::refuse;
  outcome_.status = refusal.status;
  outcome_.rule = refusal.rule;
}

void Decision::find_caller() {
  facts_.caller = make_caller(policy_, facts_.spiffe, facts_.user);
  note([&] { return caller_step(policy_, request_, facts_.caller); });
}

/// Any matching `deny` denies; else any matching `allow` allows; else nothing does. Named is the first that
/// matches.
bool Decision::decide_access(const model::Service& to) {
  audit(to);
  static const model::Access none;
  const model::Access& access = to.access ? *to.access : none;
  if (const auto* rule = first_access(access, model::Effect::deny, false)) {
    deny(rule->id);
    return true;
  }
  if (const auto* rule = first_access(access, model::Effect::allow, false)) {
    outcome_.access_rule = rule->id;
    return false;
  }
  if (model::is_on_trial(to)) {
    outcome_.access_rule = model::rule_id("access", to.name, "audit");
    note([&] { return audited_access_step(outcome_.access_rule); });
    return false;
  }
  const std::string rule = model::rule_id("access", to.name, "default");
  note([&] { return default_access_step(to, rule); });
  deny(rule);
  return true;
}

/// What is counted, whatever is decided: the audit rules that apply, and the rule by which the audited block would deny.
void Decision::audit(const model::Service& to) {
  if (to.access) {
    for (const model::AccessRule& rule : to.access->audits) {
      if (access_applies(rule, true)) outcome_.audited.push_back(rule.id);
    }
  }
  if (to.audit) audit_block(to.name, *to.audit);
}

void Decision::audit_block(const std::string& service, const model::Access& block) {
  if (const auto* rule = first_access(block, model::Effect::deny, true)) {
    outcome_.audited.push_back(rule->id);
  } else if (first_access(block, model::Effect::allow, true) == nullptr) {
    outcome_.audited.push_back(model::rule_id("access", service + " audit", "default"));
    note([&] { return audited_default_step(outcome_.audited.back()); });
  }
}

const model::AccessRule* Decision::first_access(const model::Access& access, model::Effect effect, bool audited) {
  for (const model::AccessRule& rule : access.rules) {
    if (rule.effect == effect && access_applies(rule, audited)) return &rule;
  }
  return nullptr;
}

bool Decision::access_applies(const model::AccessRule& rule, bool audited) {
  const Match found = includes(rule.from, facts_.caller) ? applies(rule.when) : Match{};
  note([&] { return access_step(rule, found, audited); });
  return found.holds;
}

/// All limits that apply are looked at, in the order of their names. If one has no room nothing is charged, and the answer
/// names the first such, and the longest wait.
bool Decision::decide_limits() {
  if (request_.tunnelled) return false;
  std::vector<Accounts::Question> charges;
  for (const model::Limit& limit : service().limits) {
    const Match found = applies(limit.when);
    note([&] { return limit_step(limit, found); });
    if (!found.holds) continue;
    outcome_.unknown.insert(accounts_.unsure().begin(), accounts_.unsure().end());
    charges.push_back({&limit, limit_key(limit, facts_), request_.now_ns});
    const std::uint32_t wait = accounts_.wait(charges.back());
    if (wait == 0) continue;
    if (outcome_.retry_after == 0) outcome_.rule = limit.id;
    outcome_.retry_after = std::max(outcome_.retry_after, wait);
  }
  if (outcome_.retry_after != 0) {
    outcome_.verdict = Verdict::limited;
    outcome_.status = is_http() ? 429 : 0;
    return true;
  }
  for (const Accounts::Question& charge : charges) accounts_.charge(charge);
  return false;
}

/// Who dials an endpoint itself gets that one, healthy or not; only its bounds hold.
void Decision::decide_direct() {
  const model::Endpoint& endpoint = service().endpoints[*destination_->endpoint];
  if (!has_room(service(), endpoint, world_)) {
    fail(Verdict::full);
    note([&] { return full_step(endpoint, outcome_); });
    return;
  }
  outcome_.verdict = Verdict::forward;
  outcome_.rule = outcome_.access_rule;
  outcome_.endpoints = {endpoint.address};
  set_forwarded();
  note([&] { return direct_step(endpoint); });
}

/// The first rule that matches; without a block, the service's endpoints.
void Decision::decide_route() {
  if (!service().route) {
    const std::string rule = model::rule_id("route", service().name, "otherwise");
    outcome_.route_rule = rule;
    note([&] { return no_route_step(rule); });
    forward(rule, {destination_->service, std::nullopt});
    return;
  }
  for (const model::RouteRule& rule : service().route->rules) {
    const Match found = applies(rule.when);
    note([&] { return route_step(rule, found); });
    if (found.holds) {
      outcome_.route_rule = rule.id;
      take(rule);
      return;
    }
  }
}

/// A preflight is the browser's question, not the caller's request: it is asked by whom the request would be routed, and by
/// nobody's `access`.
bool Decision::answer_preflight() {
  if (!is_http() || destination_->endpoint || !service().route) return false;
  const auto method = asked_method(*head_);
  if (!method) return false;
  Head asked = *head_;
  asked.method = *method;
  // What it depends on and is not known counts, whoever answers.
  facts_.head = &asked;
  const auto& rules = service().route->rules;
  const auto routed = std::ranges::find_if(rules, [&](const model::RouteRule& rule) { return !rule.when || match(*rule.when, facts_).holds; });
  facts_.head = &*head_;
  if (routed != rules.end() && routed->cors) {
    const model::RouteRule& rule = *routed;
    outcome_.verdict = Verdict::respond;
    outcome_.status = 204;
    outcome_.rule = outcome_.route_rule = rule.id;
    for (const auto& [name, value] : preflight_answer(*rule.cors, *head_)) outcome_.headers[name] = *value;
    note([&] { return preflight_step(rule, *method); });
    return true;
  }
  return false;
}

void Decision::take(const model::RouteRule& rule) {
  using Kind = model::Target::Kind;
  rule_ = &rule;
  if (rule.fault && aborts(rule)) return;
  if (rule.target.kind == Kind::split) {
    split(rule);
  } else if (rule.target.kind == Kind::respond) {
    respond(rule.target.respond);
  } else {
    forward(rule.id, {rule.target.pool.service, rule.target.pool.subset});
  }
}

/// Faults are drawn once, each for itself.
bool Decision::aborts(const model::RouteRule& rule) {
  const model::Fault& fault = *rule.fault;
  const auto drawn = [&](const std::string& id, std::uint32_t share, std::optional<bool> said) {
    return said.value_or(share_of(request_.draw, id) < share);
  };
  if (fault.delay_ms != 0 && drawn(delay_id(rule.id), fault.delay_ppm, request_.delayed)) outcome_.delay_ms = fault.delay_ms;
  if (fault.abort_status == 0 || !drawn(abort_id(rule.id), fault.abort_ppm, request_.aborted)) return false;
  outcome_.verdict = Verdict::respond;
  outcome_.status = fault.abort_status;
  outcome_.rule = rule.id;
  note([&] { return abort_step(rule); });
  return true;
}

void Decision::split(const model::RouteRule& rule) {
  std::optional<std::string> value;
  if (rule.target.by) value = key_value(*rule.target.by, facts_);
  const std::uint64_t draw = value ? draw_of_value(*value) : request_.draw;
  const std::uint32_t share = share_of(draw, rule.id);
  const std::size_t part = part_of(rule.target.split, share);
  note([&] { return split_step(policy_, destination_->service, rule, value.has_value(), draw, share, part); });
  part_ = &rule.target.split[part];
  if (part_->respond) return respond(*part_->respond);
  forward(rule.id, {part_->pool.service, part_->pool.subset});
}

void Decision::respond(const model::Respond& answer) {
  outcome_.verdict = Verdict::respond;
  outcome_.status = answer.status;
  outcome_.body = answer.body;
  outcome_.headers = answer_headers(answer, *head_, request_.destination);
  outcome_.rule = rule_->id;
  ResponseHeaders changed;
  if (rule_->cors) changed = cors_headers(*rule_->cors, *head_);
  change(changed, rule_->changes, facts_);
  if (part_ != nullptr) change(changed, part_->changes, facts_);
  for (const auto& [name, value] : changed) {
    if (value) outcome_.headers[name] = *value;
    if (!value) outcome_.headers.erase(name);
  }
}

/// What the server gets, and what becomes of its response: the rule's changes, then those of the part that was taken.
void Decision::set_forwarded() {
  if (!is_http()) return;
  Forwarded& request = outcome_.forwarded.emplace(forwarded_head(*head_, rule_ != nullptr && rule_->upgrade_websocket, service().protocol));
  if (rule_ == nullptr) return;
  if (rule_->cors) outcome_.response = cors_headers(*rule_->cors, *head_);
  change(request, rule_->changes, facts_);
  change(outcome_.response, rule_->changes, facts_);
  if (part_ == nullptr) return;
  change(request, part_->changes, facts_);
  change(outcome_.response, part_->changes, facts_);
}

/// Of another service its `access` is judged, too, on the request as it was changed, and everything else but its rules of
/// `route` and `limit` is its own.
void Decision::forward(const std::string& rule, Pool pool) {
  set_forwarded();
  if (pool.service != destination_->service) {
    const std::string allowed_by = outcome_.access_rule;
    if (outcome_.forwarded) {
      if (is_repeated()) return;
      facts_.head = &outcome_.forwarded->head;
      facts_.path = comparable_path(outcome_.forwarded->head.path);
      // Whatever the access there makes of it.
      facts_.asked_source = facts_.asked_source || !outcome_.forwarded->of_source.empty();
    }
    if (decide_access(policy_.services[pool.service])) {
      outcome_.forwarded.reset();
      return;
    }
    outcome_.access_rule = allowed_by;
  }
  const auto value = maglev_value(policy_.services[pool.service]);
  const Choice choice = choose_endpoint(policy_, pool, world_, value ? draw_of_value(*value) : request_.draw, slots_);
  outcome_.pool = pool;
  outcome_.endpoints = choice.endpoints;
  outcome_.drawn = choice.drawn;
  outcome_.verdict = Verdict::forward;
  outcome_.rule = rule;
  if (rule_ != nullptr) {
    outcome_.timeout_ms = rule_->timeout_ms;
    outcome_.per_try_ms = rule_->per_try_ms;
    if (rule_->retry && may_retry(policy_.retries[*rule_->retry])) outcome_.retries = policy_.retries[*rule_->retry].retries;
    for (const model::Mirror& mirror : rule_->mirrors) {
      if (lets_in(mirror.pool.service)) outcome_.mirrors.push_back({mirror.pool.service, mirror.pool.subset});
    }
  }
  if (choice.kind == Choice::Kind::unhealthy) fail(Verdict::unhealthy);
  if (choice.kind == Choice::Kind::full) fail(Verdict::full);
  note([&] { return pool_step(policy_, pool, outcome_, value.has_value()); });
  if (outcome_.forwarded && says_more()) note([&] { return forwarded_step(policy_, outcome_); });
}

/// What the target asks for occurs once, also when the rule added it.
bool Decision::is_repeated() {
  Head changed = outcome_.forwarded->head;
  const auto wrong = check_framing(changed, tested_[destination_->service]);
  if (!wrong) return false;
  note([&] { return refusal_step(*wrong); });
  outcome_.forwarded.reset();
  outcome_.verdict = Verdict::refuse;
  outcome_.status = wrong->status;
  outcome_.rule = wrong->rule;
  return true;
}

/// A copy for another service is judged there, too; one that it does not let in is not sent.
bool Decision::lets_in(model::ServiceId service) const {
  if (service == destination_->service) return true;
  const model::Service& to = policy_.services[service];
  Facts facts = facts_;
  facts.head = &outcome_.forwarded->head;
  facts.path = comparable_path(outcome_.forwarded->head.path);
  const auto applies_to = [&](const model::AccessRule& rule, model::Effect effect) {
    return rule.effect == effect && includes(rule.from, facts.caller) && (!rule.when || match(*rule.when, facts).holds);
  };
  const auto any = [&](model::Effect effect) {
    return to.access && std::ranges::any_of(to.access->rules, [&](const auto& rule) { return applies_to(rule, effect); });
  };
  const bool in = !any(model::Effect::deny) && (any(model::Effect::allow) || model::is_on_trial(to));
  facts_.asked_source = facts_.asked_source || facts.asked_source;
  facts_.asked_filters.insert(facts.asked_filters.begin(), facts.asked_filters.end());
  return in;
}

/// Something that may fail lets a request with this method be tried again.
bool Decision::may_retry(const model::RetryPolicy& retry) const {
  static constexpr std::array<std::string_view, 6> idempotent = {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"};
  const bool refused = retry.on_refused && service().protocol != model::Protocol::http;
  if (retry.any_method || retry.on_connect_failure || refused) return true;
  return std::ranges::find(idempotent, std::string_view(head_->method)) != idempotent.end();
}

/// The rule does more than to choose a pool.
bool Decision::says_more() const {
  const auto is_nothing = [](const model::Changes& changes) {
    return !changes.path && !changes.host && changes.request.empty() && changes.response.empty();
  };
  const bool changed = rule_ != nullptr && !is_nothing(rule_->changes);
  const bool part_changed = part_ != nullptr && !is_nothing(part_->changes);
  return changed || part_changed || outcome_.retries != 0 || outcome_.per_try_ms != 0 || outcome_.delay_ms != 0 ||
         !outcome_.mirrors.empty();
}

/// An address that is not known is no reason to know nothing of the outcome: only the endpoint depends on it.
std::optional<std::string> Decision::maglev_value(const model::Service& service) const {
  if (!service.maglev_by) return std::nullopt;
  if (service.maglev_by->attribute == model::Attribute::address && facts_.source == model::IpAddress{}) return std::nullopt;
  return key_value(*service.maglev_by, facts_);
}

/// It was allowed and routed, and there is nobody to do it.
void Decision::fail(Verdict verdict) {
  outcome_.verdict = verdict;
  outcome_.status = is_http() ? 503 : 0;
  const model::Service& of = outcome_.pool ? policy_.services[outcome_.pool->service] : service();
  outcome_.rule = model::rule_id("service", of.name, verdict_name(verdict));
  outcome_.timeout_ms = outcome_.per_try_ms = outcome_.retries = outcome_.delay_ms = 0;
  outcome_.mirrors.clear();
  outcome_.response.clear();
  outcome_.forwarded.reset();
}

void Decision::deny(const std::string& rule) {
  outcome_.verdict = Verdict::deny;
  outcome_.status = is_http() ? 403 : 0;
  outcome_.access_rule = rule;
  outcome_.rule = rule;
}

const model::Service& Decision::service() const {
  return policy_.services[destination_->service];
}

Match Decision::applies(const std::optional<model::Condition>& when) const {
  return when ? match(*when, facts_) : Match{true, nullptr, false};
}

void Decision::note(const std::function<Step()>& step) {
  if (trace_ != nullptr) trace_->push_back(step());
}

}  // namespace heddle::eval
