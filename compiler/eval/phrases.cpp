#include "compiler/eval/phrases.h"

#include <algorithm>

namespace heddle::eval {
namespace {

std::string join(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) text += (text.empty() ? "" : ", ") + item;
  return text;
}

Step step(Stage stage, std::string text) {
  Step result;
  result.stage = stage;
  result.text = std::move(text);
  return result;
}

Step rule_step(Stage stage, const std::string& rule, bool hit, std::string text) {
  Step result = step(stage, std::move(text));
  result.rule = rule;
  result.hit = hit;
  return result;
}

std::string answer_text(const model::Respond& respond) {
  return (respond.redirect ? "redirect " : "respond ") + std::to_string(respond.status);
}

void set_cause(Step& step, const std::optional<model::Condition>& when, const Match& found) {
  if (!when || found.cause == nullptr) return;
  step.cause = found.cause->span;
  step.cause_holds = found.cause_holds;
}

}  // namespace

Step destination_step(const model::Policy& policy, const Request& request,
                      const std::optional<Destination>& found) {
  const std::string address = request.destination.text();
  if (!found) {
    const bool allowed = policy.outside == model::Outside::allow && !request.tunnelled;
    return rule_step(Stage::destination, model::rule_outside, true,
                     address + " belongs to no service: " + (allowed ? "left alone" : "refused"));
  }
  const model::Service& service = policy.services[found->service];
  Step result =
      step(Stage::destination, address + (found->endpoint ? " is an endpoint" : " is an address") +
                                   " of service `" + service.name + "` (" + model::protocol_name(service.protocol) +
                                   (found->endpoint ? "): its route does not apply" : ")"));
  result.place = service.span;
  return result;
}

Step form_step(const Head& head) {
  std::string text = head.method + " " + head.path + (head.query ? "?" + *head.query : "");
  text += head.host ? ", host `" + *head.host + "`" : ", no host";
  return step(Stage::form, text);
}

Step name_step(const Request& request) {
  return step(Stage::form, request.sni ? "TLS, sni `" + *request.sni + "`" : "TLS, no sni");
}

Step refusal_step(const Refusal& refusal) {
  const std::string with = refusal.status == 0 ? "" : " with " + std::to_string(refusal.status);
  return rule_step(Stage::form, refusal.rule, true, "refused" + with + ": " + refusal.why);
}

Step caller_step(const model::Policy& policy, const Request& request, const Caller& caller) {
  std::vector<std::string> names;
  for (const auto id : caller.identities) names.push_back("`" + policy.identities[id].name + "`");
  std::string text = request.spiffe.value_or("unauthenticated");
  if (request.user) text += ", with a token of " + request.user->issuer;
  if (!caller.has_peer && !request.user) return step(Stage::caller, text);
  return step(Stage::caller, text + (names.empty() ? ", no declared identity" : ", that is " + join(names)));
}

Step audited_access_step(const std::string& rule) {
  return rule_step(Stage::access, rule, true, "the service has no `access` block but the audited one: what no rule decides is allowed");
}

Step audited_default_step(const std::string& rule) {
  return rule_step(Stage::access, rule, true, "audited: no rule would allow this request");
}

Step access_step(const model::AccessRule& rule, const Match& found, bool audited) {
  const std::string effect = std::string(audited ? "audited " : "") + (rule.effect == model::Effect::allow ? "allow" : "deny");
  const bool other_caller = !found.holds && found.cause == nullptr;
  const char* verb =
      found.holds ? ": applies" : (other_caller ? ": is for other callers" : ": does not apply");
  Step result = rule_step(Stage::access, rule.id, found.holds, effect + verb);
  result.place = rule.span;
  set_cause(result, rule.when, found);
  return result;
}

Step default_access_step(const model::Service& service, const std::string& rule) {
  return rule_step(Stage::access, rule, true,
                   service.access ? "no rule allows this request"
                                  : "service `" + service.name + "` has no `access` block");
}

Step direct_step(const model::Endpoint& endpoint) {
  return step(Stage::target, "the endpoint that was dialled: " + endpoint.address.text());
}

Step no_route_step(const std::string& rule) {
  return rule_step(Stage::route, rule, true, "the service has no `route` block: all its endpoints");
}

Step route_step(const model::RouteRule& rule, const Match& found) {
  const char* text = found.holds ? (rule.when ? "matches" : "otherwise") : "does not match";
  Step result = rule_step(Stage::route, rule.id, found.holds, text);
  result.place = rule.span;
  set_cause(result, rule.when, found);
  return result;
}

Step limit_step(const model::Limit& limit, const Match& found) {
  Step result = rule_step(Stage::limit, limit.id, found.holds, found.holds ? "counts the request" : "does not match");
  result.place = limit.span;
  set_cause(result, limit.when, found);
  return result;
}

Step split_step(const model::Policy& policy, model::ServiceId service, const model::RouteRule& rule, bool sticky,
                std::uint64_t draw, std::uint32_t share, std::size_t part) {
  std::vector<std::string> parts;
  for (std::size_t index = 0; index < rule.target.split.size(); ++index) {
    const model::SplitPart& one = rule.target.split[index];
    parts.push_back((index == part ? "*" : "") + percent_text(one.weight_ppm) + " " +
                    (one.respond ? answer_text(*one.respond) : pool_name(policy, {one.pool.service, one.pool.subset}, service)));
  }
  const std::string by = rule.target.by ? "by " + model::key_text(*rule.target.by) + " " : "";
  return step(Stage::target, "split " + by + "{ " + join(parts) + " }: " +
                                 (sticky ? "its value" : "draw " + std::to_string(draw)) + " has share " +
                                 percent_text(share));
}

Step pool_step(const model::Policy& policy, const Pool& pool, const Outcome& outcome, bool by_value) {
  const std::string name = pool_name(policy, pool, *outcome.service);
  if (outcome.verdict == Verdict::full)
    return rule_step(Stage::target, outcome.rule, true, "every endpoint of `" + name + "` is full");
  if (outcome.endpoints.empty()) {
    const bool none = endpoints_of(policy, pool).empty();
    return rule_step(Stage::target, outcome.rule, true,
                     "`" + name + (none ? "` has no endpoint" : "` has no healthy endpoint"));
  }
  std::vector<std::string> texts;
  for (const model::Endpoint* endpoint : endpoints_of(policy, pool)) {
    if (std::ranges::count(outcome.endpoints, endpoint->address) == 0) continue;
    texts.push_back(endpoint->address.text() +
                    (endpoint->weight == 1 ? "" : " weight " + std::to_string(endpoint->weight)));
  }
  std::string text =
      "`" + name + "`, " + model::balance_text(policy.services[pool.service]) + " of " + join(texts);
  if (by_value && outcome.drawn) text += ": its value goes to " + outcome.drawn->text();
  if (outcome.timeout_ms != 0) text += "; timeout " + time_text(outcome.timeout_ms);
  return step(Stage::target, text);
}

Step preflight_step(const model::RouteRule& rule, const std::string& method) {
  Step result = rule_step(Stage::route, rule.id, true, "answers the preflight of a " + method + " by its `cors`");
  result.place = rule.span;
  return result;
}

Step abort_step(const model::RouteRule& rule) {
  return rule_step(Stage::target, rule.id, true, "a fault answers with " + std::to_string(rule.fault->abort_status));
}

Step forwarded_step(const model::Policy& policy, const Outcome& outcome) {
  const Head& head = outcome.forwarded->head;
  std::string text = "sent as " + head.method + " " + head.path + (head.query ? "?" + *head.query : "");
  if (head.host) text += ", host `" + *head.host + "`";
  if (outcome.retries != 0) text += "; at most " + std::to_string(outcome.retries) + (outcome.retries == 1 ? " retry" : " retries");
  if (outcome.per_try_ms != 0) text += "; " + time_text(outcome.per_try_ms) + " for each try";
  if (outcome.delay_ms != 0) text += "; a fault waits " + time_text(outcome.delay_ms) + " first";
  for (const Pool& pool : outcome.mirrors) text += "; a copy to `" + pool_name(policy, pool, *outcome.service) + "`";
  return step(Stage::target, text);
}

Step full_step(const model::Endpoint& endpoint, const Outcome& outcome) {
  return rule_step(Stage::target, outcome.rule, true,
                   "the endpoint that was dialled is full: " + endpoint.address.text());
}

std::string time_text(std::uint32_t ms) {
  if (ms % 60000 == 0) return std::to_string(ms / 60000) + "m";
  return ms % 1000 == 0 ? std::to_string(ms / 1000) + "s" : std::to_string(ms) + "ms";
}

std::string percent_text(std::uint32_t ppm) {
  std::string text = std::to_string(ppm / 10000);
  std::string fraction = std::to_string(10000 + ppm % 10000).substr(1);
  while (!fraction.empty() && fraction.back() == '0') fraction.pop_back();
  if (!fraction.empty()) text += "." + fraction;
  return text + "%";
}

}  // namespace heddle::eval
