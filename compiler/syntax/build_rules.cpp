#include <utility>

#include "compiler/syntax/builder.h"

namespace heddle::syntax {

namespace {

using P = Parser;
using Kind = ast::Target::Kind;

void add_item(Builder& builder, P::RedirectItemContext* item, ast::Redirect& redirect) {
  if (item->SCHEME() != nullptr) redirect.schemes.push_back(builder.string(item->STRING(0)));
  if (item->HOST() != nullptr) redirect.hosts.push_back(builder.string(item->STRING(0)));
  if (item->PORT() != nullptr) redirect.ports.push_back(builder.number(item->INTEGER()));
  if (item->PATH() != nullptr) redirect.paths.push_back(builder.string(item->STRING(0)));
  if (item->PREFIX() == nullptr) return;
  redirect.prefixes.push_back({builder.string(item->STRING(0)), builder.string(item->STRING(1)), builder.span(item)});
}

class SimpleTarget {
 public:
  SimpleTarget(Builder& builder, ast::Target& target) : builder_(builder), target_(target) {}

  void operator()(P::RespondContext& context) {
    target_.kind = Kind::respond;
    target_.respond.span = builder_.span(&context);
    target_.respond.status = builder_.number(context.INTEGER());
    // `type` has a string of its own, behind the body's.
    const bool typed = context.TYPE() != nullptr;
    const bool with_body = context.STRING().size() == (typed ? 2 : 1);
    if (with_body) target_.respond.body = builder_.string(context.STRING(0));
    if (typed) target_.respond.type = builder_.string(context.STRING(with_body ? 1 : 0));
  }
  void operator()(P::RedirectContext& context) {
    target_.kind = Kind::respond;
    target_.respond.span = builder_.span(&context);
    target_.respond.status = builder_.number(context.INTEGER());
    ast::Redirect& redirect = target_.respond.redirect.emplace();
    for (auto* item : context.redirectItem()) {
      if (is_whole(item)) add_item(builder_, item, redirect);
    }
  }
  void operator()(P::PoolContext& context) {
    target_.kind = Kind::pool;
    target_.pool = builder_.name(context.qualifiedName());
  }

 private:
  Builder& builder_;
  ast::Target& target_;
};

}  // namespace

ast::Target build_simple(Builder& builder, P::SimpleTargetContext* context) {
  ast::Target target;
  target.span = builder.span(context);
  visit_alternative<P::RespondContext, P::RedirectContext, P::PoolContext>(context,
                                                                           SimpleTarget(builder, target));
  return target;
}

namespace {

ast::SplitPart build_part(Builder& builder, P::SplitPartContext* context) {
  ast::SplitPart part;
  part.span = builder.span(context);
  part.weight = builder.number(context->PERCENT() != nullptr ? context->PERCENT() : context->INTEGER());
  ast::Target target = build_simple(builder, context->simpleTarget());
  part.pool = std::move(target.pool);
  if (target.kind == Kind::respond) part.respond = std::move(target.respond);
  part.options = build_options(builder, context->ruleOptions());
  return part;
}

ast::Target build_target(Builder& builder, P::TargetContext* context) {
  if (auto* other = dynamic_cast<P::OtherTargetContext*>(context))
    return build_simple(builder, other->simpleTarget());
  auto* split = static_cast<P::SplitTargetContext*>(context);
  ast::Target target;
  target.kind = Kind::split;
  target.span = builder.span(split);
  if (split->stickyKey() != nullptr) target.by = build_key(builder, split->stickyKey());
  for (auto* part : split->splitPart()) target.parts.push_back(build_part(builder, part));
  return target;
}

class RouteItems {
 public:
  RouteItems(Builder& builder, ast::Route& route) : builder_(builder), route_(route) {}

  void operator()(P::RouteTimeoutContext& context) {
    route_.timeouts.push_back(builder_.timeout(context.DURATION(), &context));
  }
  void operator()(P::RoutePerTryContext& context) {
    route_.per_tries.push_back({builder_.number(context.DURATION()), builder_.span(&context)});
  }
  void operator()(P::RouteRetryContext& context) {
    route_.retries.push_back(build_retry_use(builder_, context.qualifiedName(), &context));
  }
  void operator()(P::WhenRuleContext& context) {
    ast::RouteRule rule;
    rule.keyword = builder_.span(context.WHEN());
    rule.when = build_condition(builder_, context.condition());
    add(std::move(rule), &context, context.target(), context.ruleOptions());
  }
  void operator()(P::OtherwiseRuleContext& context) {
    ast::RouteRule rule;
    rule.keyword = builder_.span(context.OTHERWISE());
    rule.otherwise = true;
    add(std::move(rule), &context, context.target(), context.ruleOptions());
  }

 private:
  void add(ast::RouteRule rule, P::RouteItemContext* context, P::TargetContext* target,
           P::RuleOptionsContext* options) {
    rule.span = builder_.span(context);
    rule.target = build_target(builder_, target);
    rule.options = build_options(builder_, options);
    route_.rules.push_back(std::move(rule));
  }

  Builder& builder_;
  ast::Route& route_;
};

}  // namespace

ast::Route build(Builder& builder, P::RouteContext* context) {
  ast::Route route;
  route.service = builder.name(context->qualifiedName());
  if (context->requireKernel() != nullptr) route.require_kernel.push_back(builder.span(context->requireKernel()));
  for (auto* item : context->routeItem()) {
    if (!is_whole(item)) continue;
    visit_alternative<P::RouteTimeoutContext, P::RoutePerTryContext, P::RouteRetryContext, P::WhenRuleContext,
                      P::OtherwiseRuleContext>(item, RouteItems(builder, route));
  }
  return route;
}

namespace {

std::vector<ast::AccessRule> build_access_rules(Builder& builder, const std::vector<P::AccessRuleContext*>& items) {
  std::vector<ast::AccessRule> rules;
  for (auto* item : items) {
    if (!is_whole(item)) continue;
    ast::AccessRule rule;
    rule.span = builder.span(item);
    rule.audit = item->AUDIT() != nullptr;
    rule.deny = item->DENY() != nullptr;
    rule.from = build_callers(builder, item->callers());
    if (item->condition() != nullptr) rule.when = build_condition(builder, item->condition());
    rule.options = build_options(builder, item->ruleOptions());
    rules.push_back(std::move(rule));
  }
  return rules;
}

}  // namespace

ast::RequestKey build_key(Builder& builder, P::StickyKeyContext* context) {
  ast::RequestKey key;
  key.span = builder.span(context);
  if (context->HEADER() != nullptr) key.attribute = ast::Attribute::header;
  if (context->QUERY() != nullptr) key.attribute = ast::Attribute::query;
  if (context->COOKIE() != nullptr) key.attribute = ast::Attribute::cookie;
  if (context->STRING() != nullptr) key.name = builder.string(context->STRING());
  return key;
}

ast::Access build(Builder& builder, P::AccessServiceContext* context) {
  ast::Access access;
  access.service = builder.name(context->qualifiedName());
  access.audit = context->AUDIT() != nullptr;
  access.rules = build_access_rules(builder, context->accessRule());
  return access;
}

ast::AccessEvery build(Builder& builder, P::AccessEveryContext* context) {
  ast::AccessEvery every;
  every.http = context->HTTP() != nullptr;
  every.subject = Builder::join(builder.span(context->ACCESS()), builder.span(context->SERVICE()));
  every.rules = build_access_rules(builder, context->accessRule());
  return every;
}

}  // namespace heddle::syntax
