#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "compiler/diagnostics/kinds.h"
#include "compiler/diagnostics/suggest.h"
#include "compiler/sema/analysis.h"
#include "compiler/sema/answers.h"
#include "compiler/sema/conditions.h"
#include "compiler/sema/keys.h"
#include "compiler/sema/labels.h"
#include "compiler/sema/limits.h"
#include "compiler/sema/numbers.h"
#include "compiler/sema/owner.h"
#include "compiler/sema/targets.h"

namespace heddle::sema {

namespace kinds = diagnostics::kinds;

namespace {

class Rules {
 public:
  explicit Rules(Analysis& analysis) : analysis_(analysis) {}

  /// The name that `maglev` goes by counts among the service's.
  void add_balances() {
    for (const auto& [name, entry] : analysis_.services.entries) {
      if (entry.node->balances.empty() || !entry.node->balances.front().by) continue;
      RuleScope& scope = scope_of(entry);
      scope.model_service().maglev_by = check_key(scope, *entry.node->balances.front().by);
    }
  }

  void add_route(const ast::Route& node, const std::string& space) {
    RuleScope* scope = open(node.service, space, "route", node, routes_);
    if (scope == nullptr) return;
    model::Route route;
    route.span = node.keyword;
    Labels labels(analysis_, "route", scope->model_service().name);
    const std::uint32_t timeout = route_timeout(*scope, node);
    const ast::RouteRule* otherwise = nullptr;
    for (std::size_t i = 0; i < node.rules.size(); ++i) {
      if (otherwise != nullptr) {
        analysis_.report(kinds::after_otherwise(node.rules[i].keyword))
            .with_label(otherwise->keyword, "`otherwise` takes every request");
      }
      if (node.rules[i].otherwise && otherwise == nullptr) otherwise = &node.rules[i];
      if (auto rule = check_rule(*scope, node.rules[i], labels, i + 1, timeout)) {
        if (!rule->require_kernel) rule->require_kernel = required(node.require_kernel);
        route.rules.push_back(std::move(*rule));
      }
    }
    if (otherwise == nullptr && !node.broken) {
      analysis_.report(kinds::no_otherwise(node.service.span, scope->model_service().name))
          .with_help("say what happens to all other requests: `otherwise -> " + node.service.name +
                     "`, or `-> respond 404 \"\"`");
    }
    scope->model_service().route = std::move(route);
  }

  void add_access(const ast::Access& node, const std::string& space) {
    RuleScope* scope = open(node.service, space, node.audit ? "access … audit" : "access", node,
                            node.audit ? audits_ : accesses_);
    if (scope == nullptr) return;
    model::Service& service = scope->model_service();
    Labels labels(analysis_, "access", service.name + (node.audit ? " audit" : ""));
    model::Access access;
    access.span = node.keyword;
    add_access_rules(*scope, node.rules, labels, access);
    if (node.audit && !access.audits.empty())
      analysis_.report(kinds::wrong_option(access.audits.front().span, "audit", "an `access … audit` block"))
          .with_help("nothing in the block decides; leave the word out");
    (node.audit ? service.audit : service.access) = std::move(access);
  }

  /// Its rules come after the service's own.
  void add_every(const ast::AccessEvery& node, const std::string& space) {
    const std::string subject = node.http ? "access every http service" : "access every service";
    if (!space.empty()) analysis_.report(kinds::every_in_space(node.subject, subject));
    auto& first = node.http ? every_http_ : every_;
    if (first)
      analysis_.report(kinds::second_every(node.subject, subject)).with_label(*first, "the first one");
    if (first || !space.empty()) return;
    first = node.subject;
    for (const auto& [name, entry] : analysis_.services.entries) {
      if (node.http && model::is_tcp_like(analysis_.policy.services[entry.id].protocol)) continue;
      RuleScope scope{analysis_, space, entry.id};
      scope.every = node.http ? RuleScope::Every::http : RuleScope::Every::any;
      Labels labels(analysis_, node.http ? "access every http" : "access every", "");
      model::Service& service = scope.model_service();
      if (!service.access) service.access.emplace().only_of_every = true;
      add_access_rules(scope, node.rules, labels, *service.access);
      accesses_.try_emplace(entry.id, node.subject);
    }
  }

  void add_limit(const ast::Limit& node, const std::string& space) {
    const auto* owner = find_owner(analysis_, node.service, space, "limit");
    if (owner == nullptr) return;
    RuleScope& scope = scope_of(*owner);
    const auto [first, is_new] = limits_.try_emplace(qualified(space, node.name.text), node.name.span);
    if (!is_new)
      analysis_.report(kinds::duplicate_name(node.name.span, "limit", first->first))
          .with_label(first->second, "the first one");
    auto limit = check_limit(scope, node);
    if (!limit || !is_new) return;
    std::vector<model::Limit>& limits = scope.model_service().limits;
    const auto before = [](const model::Limit& a, const model::Limit& b) { return a.id < b.id; };
    limits.insert(std::upper_bound(limits.begin(), limits.end(), *limit, before), *limit);
    if (limits.size() == max_limits + 1)
      analysis_.report(kinds::too_many_limits(node.name.span, scope.model_service().name, max_limits))
          .with_help("every request looks at all of them");
  }

  /// Every request counts what it meets of them.
  void check_audits() {
    for (const auto& [name, entry] : analysis_.services.entries) {
      const model::Service& service = analysis_.policy.services[entry.id];
      if (!service.access || service.access->audits.size() <= max_audits) continue;
      analysis_.report(
          kinds::too_many_audits(service.access->audits[max_audits].span, service.name, max_audits));
    }
  }

  /// The `access` of another service that a route targets is judged on the same request.
  void check_names_of_targets() {
    for (const auto& [name, entry] : analysis_.services.entries) {
      const auto others = model::other_targets(analysis_.policy, entry.id);
      if (others.empty()) continue;
      const auto own = scopes_.find(entry.id);
      Names names = own == scopes_.end() ? Names() : own->second.names;
      for (const model::ServiceId other : others) {
        const model::Service& target = analysis_.policy.services[other];
        for (const auto* access : {&target.access, &target.audit}) {
          if (*access) add_names(**access, names);
        }
        if (target.maglev_by && !target.maglev_by->name.empty())
          names.emplace(ast_attribute(target.maglev_by->attribute), target.maglev_by->name);
      }
      if (names.size() <= max_tested_names) continue;
      analysis_.report(kinds::too_many_names(entry.node->name.span, name, max_tested_names))
          .with_help("those that `access` and `balance` of its targets ask for are among them");
    }
  }

  void warn_without_access() {
    if (analysis_.names_may_be_missing) return;
    for (const auto& [name, entry] : analysis_.services.entries) {
      if (accesses_.contains(entry.id) || audits_.contains(entry.id)) continue;
      analysis_.report(kinds::no_access(entry.node->name.span, name))
          .with_help("say who may use it:\naccess " + entry.node->name.text + " {\n  allow from " +
                     example_caller(entry) + "\n}");
    }
  }

 private:
  static constexpr std::size_t max_audits = 16;
  using Names = std::set<std::pair<ast::Attribute, std::string>>;

  static void add_names(const model::Condition& condition, Names& names) {
    for (const model::Condition& child : condition.children) add_names(child, names);
    if (condition.kind == model::Condition::Kind::test && !condition.test.name.empty())
      names.emplace(ast_attribute(condition.test.attribute), condition.test.name);
  }

  static void add_names(const model::Access& access, Names& names) {
    for (const auto* rules : {&access.rules, &access.audits}) {
      for (const model::AccessRule& rule : *rules) {
        if (rule.when) add_names(*rule.when, names);
      }
    }
  }

  static ast::Attribute ast_attribute(model::Attribute attribute) {
    if (attribute == model::Attribute::query) return ast::Attribute::query;
    return attribute == model::Attribute::cookie ? ast::Attribute::cookie : ast::Attribute::header;
  }

  void add_access_rules(RuleScope& scope, const std::vector<ast::AccessRule>& rules, Labels& labels,
                        model::Access& access) {
    for (std::size_t i = 0; i < rules.size(); ++i) {
      const ast::AccessRule& written = rules[i];
      auto callers = check_callers(scope, written.from);
      std::optional<model::Condition> when;
      if (written.when) when = check_condition(scope, *written.when);
      model::AccessRule rule;
      rule.id = labels.id(written.labels, i + 1);
      for (const ast::Timeout& timeout : written.timeouts)
        analysis_.report(kinds::wrong_option(timeout.span, "timeout", "an access rule"))
            .with_help("how long a request may take is said in the `route`");
      rule.effect = written.deny ? model::Effect::deny : model::Effect::allow;
      rule.span = written.span;
      rule.require_kernel = required(written.require_kernel);
      if (!callers || when.has_value() != written.when.has_value()) continue;
      rule.from = std::move(*callers);
      rule.when = std::move(when);
      (written.audit ? access.audits : access.rules).push_back(std::move(rule));
    }
  }

  std::optional<source::Span> required(const ast::RequireKernel& written) {
    const source::Span* span = only(analysis_, written, "require kernel", [](source::Span place) { return place; });
    return span == nullptr ? std::nullopt : std::optional(*span);
  }

  using Blocks = std::map<model::ServiceId, source::Span>;

  /// The scope of the block's service, if the block is the first of its kind there.
  RuleScope* open(const ast::QualifiedName& name, const std::string& space, const char* kind,
                  const ast::Declaration& node, Blocks& blocks) {
    const auto* owner = find_owner(analysis_, name, space, kind);
    if (owner == nullptr) return nullptr;
    const auto [first, is_new] = blocks.try_emplace(owner->id, node.keyword);
    if (!is_new) {
      analysis_.report(kinds::second_block(node.keyword, kind, analysis_.policy.services[owner->id].name))
          .with_label(first->second, "the first one");
      return nullptr;
    }
    return &scope_of(*owner);
  }

  RuleScope& scope_of(const Table<ast::Service>::Entry& owner) {
    return scopes_.try_emplace(owner.id, RuleScope{analysis_, owner.space, owner.id}).first->second;
  }

  std::optional<model::RouteRule> check_rule(RuleScope& scope, const ast::RouteRule& written, Labels& labels,
                                             std::size_t ordinal, std::uint32_t route_timeout) {
    model::RouteRule rule;
    rule.span = written.span;
    std::optional<model::Condition> when;
    if (written.when) when = check_condition(scope, *written.when);
    auto target = check_target(scope, written.target);
    rule.id = written.otherwise ? labels.otherwise_id(written.labels) : labels.id(written.labels, ordinal);
    rule.timeout_ms = rule_timeout(scope, written, route_timeout);
    rule.require_kernel = required(written.require_kernel);
    if (!target || when.has_value() != written.when.has_value()) return std::nullopt;
    check_prefixes(scope, written.target, when);
    rule.when = std::move(when);
    rule.target = std::move(*target);
    return rule;
  }

  static source::Span place_of(const ast::Timeout& timeout) { return timeout.span; }

  /// What one `timeout` says, in milliseconds; 0: none, or an error that was reported.
  std::uint32_t timeout_of(RuleScope& scope, const ast::Timeout& written) {
    if (scope.is_tcp_like()) scope.report_not_on_tcp(written.span, "timeout");
    if (scope.is_tcp_like() || !written.time) return 0;
    return milliseconds(analysis_.sink, *written.time).value_or(0);
  }

  /// For all rules of the route that say nothing themselves.
  std::uint32_t route_timeout(RuleScope& scope, const ast::Route& node) {
    const ast::Timeout* written = only(analysis_, node.timeouts, "timeout", place_of);
    return written == nullptr ? 0 : timeout_of(scope, *written);
  }

  /// What the mesh answers itself takes no time, so the route's timeout says nothing about it.
  std::uint32_t rule_timeout(RuleScope& scope, const ast::RouteRule& rule, std::uint32_t route_timeout) {
    const bool responds = rule.target.kind == ast::Target::Kind::respond;
    for (const ast::SplitPart& part : rule.target.parts) {
      for (const ast::Timeout& timeout : part.timeouts)
        analysis_.report(kinds::wrong_option(timeout.span, "timeout", "a part of a `split`"))
            .with_help("it stands behind the whole `split`, for all parts");
    }
    const ast::Timeout* written = only(analysis_, rule.timeouts, "timeout", place_of);
    if (written == nullptr) return responds ? 0 : route_timeout;
    if (!responds) return timeout_of(scope, *written);
    analysis_.report(kinds::wrong_option(written->span, "timeout", rule.target.respond.redirect ? "`redirect`" : "`respond`"))
        .with_help("the mesh answers at once; leave it out");
    return 0;
  }

  /// Somebody else than the service itself, if there is one.
  [[nodiscard]] std::string example_caller(const Table<ast::Service>::Entry& entry) const {
    const auto& own = analysis_.policy.services[entry.id].identity;
    for (const std::string& name : analysis_.identities.names_in(entry.space)) {
      const auto* found = analysis_.identities.find({"", name, {}}, entry.space);
      if (found != nullptr && found->second.id != own) return name;
    }
    return "any";
  }

  Analysis& analysis_;
  std::map<model::ServiceId, RuleScope> scopes_;
  Blocks routes_;
  Blocks accesses_;
  Blocks audits_;
  std::optional<source::Span> every_;  // where the one block stands
  std::optional<source::Span> every_http_;
  std::map<std::string, source::Span> limits_;  // by qualified name
};

}  // namespace

void check_rules(Analysis& analysis) {
  Rules rules(analysis);
  rules.add_balances();
  analysis.for_each<ast::Route>(
      [&](const ast::Route& node, const std::string& space) { rules.add_route(node, space); });
  analysis.for_each<ast::Access>(
      [&](const ast::Access& node, const std::string& space) { rules.add_access(node, space); });
  analysis.for_each<ast::Limit>(
      [&](const ast::Limit& node, const std::string& space) { rules.add_limit(node, space); });
  analysis.for_each<ast::AccessEvery>(
      [&](const ast::AccessEvery& node, const std::string& space) { rules.add_every(node, space); });
  rules.check_audits();
  rules.check_names_of_targets();
  rules.warn_without_access();
}

}  // namespace heddle::sema
