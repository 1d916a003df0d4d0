#pragma once

#include <string>
#include <utility>
#include <vector>

#include "compiler/ast/file.h"
#include "compiler/diagnostics/diagnostic.h"
#include "compiler/source/source_manager.h"
#include "compiler/syntax/antlr.h"

namespace heddle::syntax {

/// What every part of the tree builder needs: places and texts of tokens, and the list of unsupported
/// constructs.
class Builder {
 public:
  Builder(const source::SourceManager& sources, ast::File& file, diagnostics::Sink& sink)
      : sources_(sources), file_(file), sink_(sink) {}

  [[nodiscard]] source::Span span(const antlr4::Token* token) const;
  [[nodiscard]] source::Span span(antlr4::tree::TerminalNode* node) const { return span(node->getSymbol()); }
  [[nodiscard]] source::Span span(const antlr4::ParserRuleContext* context) const;
  /// From the first to the last byte of two.
  [[nodiscard]] static source::Span join(source::Span first, source::Span last) {
    return {first.file, first.begin, last.end};
  }
  [[nodiscard]] std::string text(source::Span span) const { return std::string(sources_.text(span)); }

  [[nodiscard]] ast::Name name(Parser::NameContext* context) const;
  [[nodiscard]] ast::QualifiedName name(Parser::QualifiedNameContext* context) const;
  [[nodiscard]] std::vector<ast::QualifiedName> names(
      const std::vector<Parser::QualifiedNameContext*>& contexts) const;
  [[nodiscard]] ast::String string(antlr4::tree::TerminalNode* node) const;
  /// A regular expression as it is written, so that each of its bytes has its place.
  [[nodiscard]] ast::String between_slashes(antlr4::tree::TerminalNode* regex) const;
  [[nodiscard]] ast::Number number(antlr4::tree::TerminalNode* node) const;
  /// `node` is null where `none` is written.
  [[nodiscard]] ast::Timeout timeout(antlr4::tree::TerminalNode* node,
                                     const antlr4::ParserRuleContext* context) const;
  [[nodiscard]] ast::Choice choice(const antlr4::ParserRuleContext* context) const;
  [[nodiscard]] ast::Address address(Parser::SocketAddressContext* context) const;

  void unsupported(std::string what, source::Span span) {
    file_.unsupported.push_back({std::move(what), span});
  }
  /// Called as it is written, on one line.
  void unsupported(source::Span span);

  diagnostics::Diagnostic& report(diagnostics::Diagnostic diagnostic) {
    return sink_.report(std::move(diagnostic));
  }

 private:
  const source::SourceManager& sources_;
  ast::File& file_;
  diagnostics::Sink& sink_;
};

/// Whether a rule was read completely; what was not is left out of the tree, the error being reported.
bool is_whole(const antlr4::ParserRuleContext* context);

/// Calls the visitor with a labelled alternative as what it is.
template <typename... Alternatives, typename Visitor>
void visit_alternative(antlr4::ParserRuleContext* context, Visitor&& visitor) {
  const auto attempt = [&](auto* alternative) {
    if (alternative == nullptr) return false;
    visitor(*alternative);
    return true;
  };
  static_cast<void>((attempt(dynamic_cast<Alternatives*>(context)) || ...));
}

ast::Condition build_condition(Builder& builder, Parser::ConditionContext* context);
ast::Callers build_callers(Builder& builder, Parser::CallersContext* context);
std::vector<ast::QualifiedName> build_via(Builder& builder, Parser::ViaContext* context);
ast::RequestKey build_key(Builder& builder, Parser::StickyKeyContext* context);
ast::Target build_simple(Builder& builder, Parser::SimpleTargetContext* context);
/// `name` is null where `none` is written.
ast::RetryUse build_retry_use(Builder& builder, Parser::QualifiedNameContext* name,
                              const antlr4::ParserRuleContext* context);
/// What stands in braces behind a target or an access rule; `context` may be null.
ast::Options build_options(Builder& builder, Parser::RuleOptionsContext* context);

ast::Mesh build(Builder& builder, Parser::MeshContext* context);
ast::Identity build(Builder& builder, Parser::IdentityContext* context);
ast::Workload build(Builder& builder, Parser::WorkloadContext* context);
ast::Service build(Builder& builder, Parser::ServiceContext* context);
ast::Endpoints build(Builder& builder, Parser::EndpointsContext* context);
ast::RetryPolicy build(Builder& builder, Parser::RetryPolicyContext* context);
ast::Route build(Builder& builder, Parser::RouteContext* context);
ast::Access build(Builder& builder, Parser::AccessServiceContext* context);
ast::AccessEvery build(Builder& builder, Parser::AccessEveryContext* context);
ast::Limit build(Builder& builder, Parser::LimitContext* context);
ast::Filter build(Builder& builder, Parser::ExternFilterContext* context);
ast::TestBlock build(Builder& builder, Parser::TestContext* context);
ast::Request build(Builder& builder, Parser::RequestContext* context);

}  // namespace heddle::syntax
