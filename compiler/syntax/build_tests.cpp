#include <utility>

#include "compiler/syntax/builder.h"

namespace heddle::syntax {

namespace {

using P = Parser;
using Kind = ast::Expectation::Kind;

class SenderKind {
 public:
  SenderKind(Builder& builder, ast::Sender& sender) : builder_(builder), sender_(sender) {}

  void operator()(P::NobodyContext& /*context*/) { sender_.kind = ast::Sender::Kind::unauthenticated; }
  void operator()(P::SpiffeSenderContext& context) {
    sender_.kind = ast::Sender::Kind::spiffe;
    sender_.spiffe = builder_.string(context.STRING());
  }
  void operator()(P::IdentitySenderContext& context) {
    sender_.kind = ast::Sender::Kind::identity;
    sender_.identity = builder_.name(context.qualifiedName());
    if (context.via() != nullptr) sender_.via = build_via(builder_, context.via());
  }

 private:
  Builder& builder_;
  ast::Sender& sender_;
};

class RequestParts {
 public:
  RequestParts(Builder& builder, ast::Request& request) : builder_(builder), request_(request) {}

  void operator()(P::PortPartContext& context) {
    request_.ports.push_back(builder_.number(context.INTEGER()));
  }
  void operator()(P::FromPartContext& context) {
    ast::Sender sender;
    sender.span = builder_.span(&context);
    visit_alternative<P::NobodyContext, P::SpiffeSenderContext, P::IdentitySenderContext>(
        context.sender(), SenderKind(builder_, sender));
    request_.senders.push_back(std::move(sender));
  }
  void operator()(P::AtPartContext& context) {
    const source::Span span = builder_.span(context.stop);
    request_.sources.push_back({builder_.text(span), span});
  }
  void operator()(P::TimesPartContext& context) {
    request_.times.push_back(builder_.number(context.INTEGER()));
  }
  void operator()(P::HeaderPartContext& context) {
    request_.headers.push_back({builder_.string(context.STRING(0)), builder_.string(context.STRING(1))});
  }
  void operator()(P::HostPartContext& context) {
    request_.hosts.push_back(builder_.string(context.STRING()));
  }
  void operator()(P::SniPartContext& context) { request_.snis.push_back(builder_.string(context.STRING())); }
  void operator()(P::ClaimPartContext& context) {
    ast::RequestClaim claim;
    for (auto* text : context.STRING()) claim.path.push_back(builder_.string(text));
    claim.value = std::move(claim.path.back());
    claim.path.pop_back();
    request_.claims.push_back(std::move(claim));
  }

 private:
  Builder& builder_;
  ast::Request& request_;
};

class RequestKind {
 public:
  RequestKind(Builder& builder, ast::Request& request) : builder_(builder), request_(request) {}

  void operator()(P::ConnectRequestContext& context) {
    request_.connect = true;
    request_.service = builder_.name(context.qualifiedName());
    add(context.requestPart());
  }
  void operator()(P::HttpRequestContext& context) {
    const source::Span method = builder_.span(context.NAME());
    request_.method = {builder_.text(method), method};
    request_.target = builder_.string(context.STRING());
    request_.service = builder_.name(context.qualifiedName());
    add(context.requestPart());
  }

 private:
  void add(const std::vector<P::RequestPartContext*>& parts) {
    for (auto* part : parts) {
      visit_alternative<P::PortPartContext, P::FromPartContext, P::AtPartContext, P::TimesPartContext,
                        P::HeaderPartContext, P::HostPartContext, P::SniPartContext, P::ClaimPartContext>(
          part, RequestParts(builder_, request_));
    }
  }

  Builder& builder_;
  ast::Request& request_;
};

class ExpectationKind {
 public:
  ExpectationKind(Builder& builder, ast::TestCase& test) : builder_(builder), test_(test) {}

  void operator()(P::ExpectAllowedContext& context) { add(Kind::allowed, context); }
  void operator()(P::ExpectDeniedContext& context) { add(Kind::denied, context); }
  void operator()(P::ExpectRefusedContext& context) {
    add(Kind::refused, context).status = builder_.number(context.INTEGER());
  }
  void operator()(P::ExpectStatusContext& context) {
    add(Kind::status, context).status = builder_.number(context.INTEGER());
  }
  void operator()(P::ExpectRouteContext& context) {
    add(Kind::route, context).targets = builder_.names(context.qualifiedName());
  }
  void operator()(P::ExpectRuleContext& context) {
    add(Kind::rule, context).rule = builder_.string(context.STRING());
  }
  void operator()(P::ExpectTimeoutContext& context) {
    add(Kind::timeout, context).timeout = builder_.timeout(context.DURATION(), &context);
  }
  void operator()(P::ExpectLimitedContext& context) { add(Kind::limited, context); }
  void operator()(P::ExpectRetriesContext& context) {
    add(Kind::retries, context).status = builder_.number(context.INTEGER());
  }
  void operator()(P::ExpectTierContext& context) {
    const source::Span word = builder_.span(context.stop);
    add(Kind::tier, context).tier = {builder_.text(word), word};
  }
  void operator()(P::ExpectPathContext& context) { add(Kind::path, context).text = builder_.string(context.STRING()); }
  void operator()(P::ExpectHostContext& context) { add(Kind::host, context).text = builder_.string(context.STRING()); }
  void operator()(P::ExpectHeaderContext& context) {
    ast::Expectation& expectation = add(context.RESPONSE() != nullptr ? Kind::response_header : Kind::header, context);
    expectation.header = builder_.string(context.STRING(0));
    if (context.ABSENT() == nullptr) expectation.value = builder_.string(context.STRING(1));
  }
  void operator()(P::ExpectMirrorContext& context) {
    add(Kind::mirror, context).targets = {builder_.name(context.qualifiedName())};
  }

 private:
  ast::Expectation& add(Kind kind, const P::ExpectationContext& context) {
    test_.expect.push_back({});
    test_.expect.back().kind = kind;
    test_.expect.back().span = builder_.span(&context);
    return test_.expect.back();
  }

  Builder& builder_;
  ast::TestCase& test_;
};

void add_expectations(Builder& builder, P::ExpectItemContext* context, ast::TestCase& test) {
  for (auto* expectation : context->expectation()) {
    visit_alternative<P::ExpectAllowedContext, P::ExpectDeniedContext, P::ExpectRefusedContext,
                      P::ExpectStatusContext, P::ExpectRouteContext, P::ExpectRuleContext,
                      P::ExpectLimitedContext, P::ExpectRetriesContext, P::ExpectTimeoutContext,
                      P::ExpectTierContext, P::ExpectPathContext, P::ExpectHostContext,
                      P::ExpectHeaderContext, P::ExpectMirrorContext>(expectation,
                                                                      ExpectationKind(builder, test));
  }
}

}  // namespace

ast::Request build(Builder& builder, P::RequestContext* context) {
  ast::Request request;
  request.span = builder.span(context);
  visit_alternative<P::ConnectRequestContext, P::HttpRequestContext>(context, RequestKind(builder, request));
  return request;
}

ast::TestBlock build(Builder& builder, P::TestContext* context) {
  ast::TestBlock test;
  test.name = builder.string(context->STRING());
  for (auto* item : context->testItem()) {
    auto* expect = dynamic_cast<P::ExpectItemContext*>(item);
    if (auto* send = dynamic_cast<P::SendItemContext*>(item); send != nullptr && is_whole(item)) {
      test.cases.push_back({build(builder, send->request()), {}});
    } else if (expect != nullptr && !test.cases.empty() && is_whole(item)) {
      add_expectations(builder, expect, test.cases.back());
    } else if (expect != nullptr && is_whole(item)) {
      test.stray_expectations.push_back(builder.span(expect));
    }
  }
  return test;
}

}  // namespace heddle::syntax
