#include <utility>

#include "compiler/syntax/builder.h"

namespace heddle::syntax {

namespace {

using P = Parser;

ast::CorsItem build_cors_item(Builder& builder, P::LiteralContext* context) {
  if (context->STRING() != nullptr) return {ast::CorsItem::Kind::text, builder.string(context->STRING())};
  if (context->REGEX() != nullptr) return {ast::CorsItem::Kind::regex, builder.between_slashes(context->REGEX())};
  const ast::Name word = builder.name(context->name());
  return {ast::CorsItem::Kind::word, {word.text, word.span}};
}

ast::Cors build_cors(Builder& builder, P::CorsOptionContext& context) {
  ast::Cors cors;
  cors.span = builder.span(&context);
  for (auto* item : context.corsItem()) {
    if (!is_whole(item)) continue;
    if (item->CREDENTIALS() != nullptr) cors.credentials.push_back(builder.span(item));
    if (item->MAX_AGE() != nullptr) cors.max_ages.push_back(builder.number(item->DURATION()));
    ast::CorsList list;
    list.span = builder.span(item);
    for (auto* literal : item->literal()) list.items.push_back(build_cors_item(builder, literal));
    if (item->ORIGINS() != nullptr) cors.origins.push_back(std::move(list));
    else if (item->METHODS() != nullptr) cors.methods.push_back(std::move(list));
    else if (item->HEADERS() != nullptr) cors.headers.push_back(std::move(list));
    else if (item->EXPOSE() != nullptr) cors.expose.push_back(std::move(list));
  }
  return cors;
}

ast::Rewrite build_rewrite(Builder& builder, P::RewriteContext* context) {
  using Kind = ast::Rewrite::Kind;
  ast::Rewrite rewrite;
  rewrite.span = builder.span(context);
  const auto texts = context->STRING();
  rewrite.to = builder.string(texts.back());
  if (texts.size() > 1) rewrite.from = builder.string(texts.front());
  rewrite.kind = context->HOST() != nullptr   ? Kind::host
                 : context->LIKE() != nullptr ? Kind::like
                 : texts.size() > 1           ? Kind::prefix
                                              : Kind::path;
  return rewrite;
}

void set_value(Builder& builder, P::HeaderValueContext* context, ast::HeaderChange& change) {
  using Value = ast::HeaderChange::Value;
  change.value_span = builder.span(context);
  if (context->IDENTITY() != nullptr) change.value = Value::identity;
  if (context->ADDRESS() != nullptr) change.value = Value::address;
  if (context->CLAIM() == nullptr) {
    if (!context->STRING().empty()) change.text = builder.string(context->STRING(0));
    return;
  }
  change.value = Value::claim;
  for (auto* name : context->STRING()) change.claim.push_back(builder.string(name));
}

class OptionKinds {
 public:
  OptionKinds(Builder& builder, ast::Options& options) : builder_(builder), options_(options) {}

  void operator()(P::LabelOptionContext& context) { options_.labels.push_back(builder_.string(context.STRING())); }
  void operator()(P::TimeoutOptionContext& context) {
    options_.timeouts.push_back(builder_.timeout(context.DURATION(), &context));
  }
  void operator()(P::PerTryOptionContext& context) {
    options_.per_tries.push_back({builder_.number(context.DURATION()), builder_.span(&context)});
  }
  void operator()(P::RetryOptionContext& context) {
    options_.retries.push_back(build_retry_use(builder_, context.qualifiedName(), &context));
  }
  void operator()(P::UpgradeOptionContext& context) { options_.upgrades.push_back(builder_.span(&context)); }
  void operator()(P::RequireOptionContext& context) { options_.require_kernel.push_back(builder_.span(&context)); }
  void operator()(P::RewriteOptionContext& context) {
    options_.rewrites.push_back(build_rewrite(builder_, context.rewrite()));
    options_.rewrites.back().span = builder_.span(&context);
  }
  void operator()(P::HeaderOptionContext& context) {
    using Action = ast::HeaderChange::Action;
    ast::HeaderChange& change = add_change(context, context.SET() != nullptr ? Action::set : Action::add);
    change.response = context.RESPONSE() != nullptr;
    change.name = builder_.string(context.STRING());
    set_value(builder_, context.headerValue(), change);
  }
  void operator()(P::RemoveOptionContext& context) {
    ast::HeaderChange& change = add_change(context, ast::HeaderChange::Action::remove);
    change.response = context.RESPONSE() != nullptr;
    change.name = builder_.string(context.STRING());
  }
  void operator()(P::MirrorOptionContext& context) {
    ast::Mirror mirror;
    mirror.span = builder_.span(&context);
    mirror.target = build_simple(builder_, context.simpleTarget());
    if (context.PERCENT() != nullptr) mirror.share = builder_.number(context.PERCENT());
    options_.mirrors.push_back(std::move(mirror));
  }
  void operator()(P::FaultOptionContext& context) {
    const bool abort = context.ABORT() != nullptr;
    options_.faults.push_back({abort, builder_.number(abort ? context.INTEGER() : context.DURATION()),
                               builder_.number(context.PERCENT()), builder_.span(&context)});
  }
  void operator()(P::CorsOptionContext& context) { options_.cors.push_back(build_cors(builder_, context)); }

 private:
  ast::HeaderChange& add_change(const antlr4::ParserRuleContext& context, ast::HeaderChange::Action action) {
    ast::HeaderChange& change = options_.headers.emplace_back();
    change.action = action;
    change.span = builder_.span(&context);
    return change;
  }

  Builder& builder_;
  ast::Options& options_;
};

ast::RetryCondition build_condition(Builder& builder, P::RetryConditionContext* context) {
  using Kind = ast::RetryCondition::Kind;
  ast::RetryCondition condition;
  condition.span = builder.span(context);
  if (context->CONNECT_FAILURE() != nullptr) condition.kind = Kind::connect_failure;
  if (context->REFUSED() != nullptr) condition.kind = Kind::refused;
  if (context->TIMEOUT() != nullptr) condition.kind = Kind::timeout;
  if (context->STATUS() != nullptr) {
    condition.kind = Kind::status;
    condition.first = builder.number(context->INTEGER(0));
    if (context->RANGE() != nullptr) condition.last = builder.number(context->INTEGER(1));
  }
  if (context->GRPC() != nullptr) {
    condition.kind = Kind::grpc;
    condition.code = builder.name(context->name());
  }
  return condition;
}

void add_item(Builder& builder, P::RetryItemContext* item, ast::RetryPolicy& retry) {
  const source::Span span = builder.span(item);
  if (item->ON() != nullptr) {
    ast::RetryOn on{{}, span};
    for (auto* condition : item->retryCondition()) on.conditions.push_back(build_condition(builder, condition));
    retry.on.push_back(std::move(on));
  } else if (item->RETRIES() != nullptr) {
    retry.at_mosts.push_back(builder.number(item->INTEGER()));
  } else if (item->PER_TRY() != nullptr) {
    retry.per_tries.push_back({builder.number(item->DURATION(0)), span});
  } else if (item->BACKOFF() != nullptr) {
    retry.backoffs.push_back({builder.number(item->DURATION(0)), builder.number(item->DURATION(1)), span});
  } else if (item->BUDGET() != nullptr) {
    ast::Budget budget{builder.number(item->PERCENT()), {}, span};
    if (item->PER_TIME() != nullptr) budget.at_least = builder.number(item->PER_TIME());
    retry.budgets.push_back(std::move(budget));
  } else if (item->METHODS() != nullptr) {
    retry.methods.push_back({item->ANY() != nullptr ? "any" : "idempotent", span});
  } else {
    retry.buffers.push_back(builder.number(item->SIZE()));
  }
}

}  // namespace

ast::RetryUse build_retry_use(Builder& builder, P::QualifiedNameContext* name, const antlr4::ParserRuleContext* context) {
  ast::RetryUse use{{}, builder.span(context)};
  if (name != nullptr) use.name = builder.name(name);
  return use;
}

ast::Options build_options(Builder& builder, P::RuleOptionsContext* context) {
  ast::Options options;
  if (context == nullptr) return options;
  for (auto* option : context->option()) {
    if (!is_whole(option)) continue;
    visit_alternative<P::LabelOptionContext, P::TimeoutOptionContext, P::PerTryOptionContext, P::RetryOptionContext,
                      P::UpgradeOptionContext, P::RequireOptionContext, P::RewriteOptionContext, P::HeaderOptionContext,
                      P::RemoveOptionContext, P::MirrorOptionContext, P::FaultOptionContext, P::CorsOptionContext>(
        option, OptionKinds(builder, options));
  }
  return options;
}

ast::RetryPolicy build(Builder& builder, P::RetryPolicyContext* context) {
  ast::RetryPolicy retry;
  retry.name = builder.name(context->name());
  for (auto* item : context->retryItem()) {
    if (is_whole(item)) add_item(builder, item, retry);
  }
  return retry;
}

}  // namespace heddle::syntax
