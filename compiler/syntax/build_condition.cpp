#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "compiler/diagnostics/kinds.h"
#include "compiler/syntax/builder.h"

namespace heddle::syntax {

namespace {

namespace kinds = diagnostics::kinds;
using P = Parser;
using antlr4::tree::TerminalNode;
using Kind = ast::Condition::Kind;

/// The simple operators of strings that are built; the others are known to the grammar alone.
std::optional<ast::Operator> operator_of(P::OperationContext* operation) {
  if (operation->IS() != nullptr) return ast::Operator::is;
  if (operation->UNDER() != nullptr) return ast::Operator::under;
  if (operation->STARTS() != nullptr) return ast::Operator::starts;
  if (operation->ENDS() != nullptr) return ast::Operator::ends;
  if (operation->CONTAINS() != nullptr) return ast::Operator::contains;
  if (operation->LIKE() != nullptr) return ast::Operator::like;
  if (operation->MATCHES() != nullptr) return ast::Operator::matches;
  if (operation->HAS() != nullptr) return ast::Operator::has;
  if (operation->PRESENT() != nullptr) return ast::Operator::present;
  if (operation->ABSENT() != nullptr) return ast::Operator::absent;
  if (operation->IN() != nullptr)
    return operation->NOT() != nullptr ? ast::Operator::not_in : ast::Operator::in;
  return std::nullopt;
}

/// `pkg.Service` or `pkg.Service/Method`, of names with letters, digits and `_`.
bool is_grpc_name(std::string_view text) {
  bool begins = true;
  bool method = false;
  for (const char c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    if (letter || (!begins && c >= '0' && c <= '9')) {
      begins = false;
    } else if (!begins && !method && (c == '.' || c == '/')) {
      begins = true;
      method = c == '/';
    } else {
      return false;
    }
  }
  return !begins;
}

class Comparison {
 public:
  Comparison(Builder& builder, ast::Condition& out) : builder_(builder), out_(out) {}

  void operator()(P::ValueTestContext& context) {
    auto* attribute = context.attribute();
    out_.test.attribute_span = builder_.span(attribute);
    if (attribute->PATH() != nullptr) {
      out_.test.attribute = ast::Attribute::path;
    } else if (attribute->HOST() != nullptr) {
      out_.test.attribute = ast::Attribute::host;
    } else if (attribute->SNI() != nullptr) {
      out_.test.attribute = ast::Attribute::sni;
    } else if (attribute->HEADER() != nullptr) {
      out_.test.attribute = ast::Attribute::header;
    } else if (attribute->QUERY() != nullptr) {
      out_.test.attribute = ast::Attribute::query;
    } else if (attribute->COOKIE() != nullptr) {
      out_.test.attribute = ast::Attribute::cookie;
    } else if (attribute->CLAIM() != nullptr) {
      out_.test.attribute = ast::Attribute::claim;
      for (auto* name : attribute->STRING()) out_.test.claim.push_back(builder_.string(name));
    } else {
      return refuse(builder_.span(attribute->start));
    }
    if (!attribute->STRING().empty() && attribute->CLAIM() == nullptr) out_.test.name = builder_.string(attribute->STRING(0));
    add_operation(context.operation());
  }

  void operator()(P::MethodTestContext& context) {
    auto* operation = context.methodOperation();
    out_.test.attribute = ast::Attribute::method;
    out_.test.attribute_span = builder_.span(context.METHOD());
    set_list_operator(operation->IS(), operation->NOT(), operation->IN());
    for (auto* method : operation->name()) {
      const ast::Name name = builder_.name(method);
      out_.test.operands.push_back({name.text, name.span});
    }
  }

  void operator()(P::FromTestContext& context) {
    out_.test.attribute = ast::Attribute::from;
    out_.test.attribute_span = builder_.span(context.FROM());
    if (context.via() != nullptr) refuse(builder_.span(context.via()->start));
    if (context.callers() != nullptr) {
      out_.test.callers = build_callers(builder_, context.callers());
      return;
    }
    set_list_operator(nullptr, context.NOT(), context.IN());
    out_.test.callers.kind = ast::Callers::Kind::names;
    out_.test.callers.names = builder_.names(context.identityList()->qualifiedName());
    out_.test.callers.span = builder_.span(context.identityList());
  }

  void operator()(P::AddressTestContext& context) {
    out_.test.attribute = ast::Attribute::address;
    out_.test.attribute_span = builder_.span(context.ADDRESS());
    set_list_operator(context.IS(), context.NOT(), context.IN());
    for (auto* range : context.addressRange())
      out_.test.operands.push_back({builder_.text(builder_.span(range)), builder_.span(range)});
  }

  void operator()(P::PortTestContext& context) {
    out_.test.attribute = ast::Attribute::port;
    out_.test.attribute_span = builder_.span(context.PORT());
    set_list_operator(context.IS(), context.NOT(), context.IN());
    for (auto* port : context.INTEGER()) {
      const ast::Number number = builder_.number(port);
      out_.test.operands.push_back({number.text, number.span});
    }
  }

  /// Sugar for a path: one method, or all of a service.
  void operator()(P::GrpcTestContext& context) {
    const ast::String name = builder_.string(context.STRING());
    if (!is_grpc_name(name.value)) {
      builder_.report(kinds::bad_grpc(name.span, name.value))
          .with_help("write `grpc \"shop.Cart/AddItem\"` for a method, `grpc \"shop.Cart\"` for all of a service");
      out_.kind = Kind::unsupported;
      return;
    }
    out_.test.attribute = ast::Attribute::path;
    out_.test.attribute_span = builder_.span(context.GRPC());
    out_.test.op = name.value.find('/') == std::string::npos ? ast::Operator::under : ast::Operator::is;
    out_.test.op_span = out_.test.attribute_span;
    out_.test.operands.push_back({"/" + name.value, name.span});
  }

  /// A name alone is a filter's. Whether there is one is known later; a name that something is compared with is none.
  void operator()(P::NamedTestContext& context) {
    const source::Span first = builder_.span(context.NAME());
    const source::Span name_span =
        context.name() == nullptr ? first : Builder::join(first, builder_.span(context.name()));
    out_.test.attribute = ast::Attribute::filter;
    out_.test.attribute_span = name_span;
    out_.test.filter.span = name_span;
    out_.test.filter.name = builder_.text(context.name() == nullptr ? first : builder_.span(context.name()));
    if (context.name() != nullptr) out_.test.filter.space = builder_.text(first);
    out_.test.op = ast::Operator::present;
    if (context.operation() != nullptr) add_operation(context.operation());
    out_.test.compared = context.operation() != nullptr;
  }

 private:
  void refuse(source::Span what) {
    builder_.unsupported(what);
    out_.kind = Kind::unsupported;
  }

  void set_list_operator(TerminalNode* is, TerminalNode* negated, TerminalNode* in) {
    out_.test.op = is != nullptr        ? ast::Operator::is
                   : negated != nullptr ? ast::Operator::not_in
                                        : ast::Operator::in;
    if (is != nullptr) out_.test.op_span = builder_.span(is);
    if (in != nullptr)
      out_.test.op_span = Builder::join(builder_.span(negated != nullptr ? negated : in), builder_.span(in));
  }

  void add_operation(P::OperationContext* operation) {
    out_.test.ignoring_case = operation->ignoringCase() != nullptr;
    const auto op = operator_of(operation);
    if (!op) return refuse(builder_.span(operation->start));
    out_.test.op = *op;
    out_.test.op_span = builder_.span(operation->start);
    if (operation->IN() != nullptr) out_.test.op_span.end = builder_.span(operation->IN()).end;
    for (auto* literal : operation->STRING()) out_.test.operands.push_back(builder_.string(literal));
    if (operation->REGEX() != nullptr) out_.test.operands.push_back(builder_.between_slashes(operation->REGEX()));
  }

  Builder& builder_;
  ast::Condition& out_;
};

ast::Condition build_comparison(Builder& builder, P::ComparisonContext* context) {
  ast::Condition condition;
  condition.span = builder.span(context);
  visit_alternative<P::ValueTestContext, P::MethodTestContext, P::FromTestContext, P::AddressTestContext,
                    P::PortTestContext, P::GrpcTestContext, P::NamedTestContext>(
      context, Comparison(builder, condition));
  return condition;
}

ast::Condition build_term(Builder& builder, P::TermContext* context) {
  P::PrimaryContext* primary = context->primary();
  ast::Condition inner = primary->condition() != nullptr ? build_condition(builder, primary->condition())
                                                         : build_comparison(builder, primary->comparison());
  // The parentheses belong to what is underlined; of `not not` nothing is left, and the tree stays flat.
  inner.span = builder.span(primary);
  if (context->NOT().size() % 2 == 0) return inner;
  ast::Condition negation;
  negation.kind = inner.kind == Kind::unsupported ? Kind::unsupported : Kind::negation;
  negation.span = builder.span(context);
  negation.children.push_back(std::move(inner));
  return negation;
}

/// The first `and` beside an `or`, or the other way round.
TerminalNode* find_mixed(P::ConditionContext* context) {
  TerminalNode* first = nullptr;
  for (auto* child : context->children) {
    auto* node = dynamic_cast<TerminalNode*>(child);
    if (node == nullptr) continue;
    if (first == nullptr) first = node;
    if (node->getSymbol()->getType() != first->getSymbol()->getType()) return node;
  }
  return nullptr;
}

}  // namespace

ast::Condition build_condition(Builder& builder, P::ConditionContext* context) {
  const auto terms = context->term();
  if (terms.size() == 1) return build_term(builder, terms.front());
  ast::Condition condition;
  condition.kind = context->AND().empty() ? Kind::any : Kind::all;
  condition.span = builder.span(context);
  bool supported = true;
  for (auto* term : terms) {
    condition.children.push_back(build_term(builder, term));
    supported = supported && condition.children.back().kind != Kind::unsupported;
  }
  if (TerminalNode* mixed = find_mixed(context)) {
    const bool first_is_and = mixed->getSymbol()->getType() == P::OR;
    TerminalNode* first = first_is_and ? context->AND(0) : context->OR(0);
    builder.report(kinds::mixed_and_or(builder.span(mixed)))
        .with_label(builder.span(first), "which of the two binds first is not said")
        .with_help("put one of them in parentheses: `a and (b or c)` or `(a and b) or c`");
    supported = false;
  }
  if (!supported) condition.kind = Kind::unsupported;
  return condition;
}

std::vector<ast::QualifiedName> build_via(Builder& builder, P::ViaContext* context) {
  if (context->identityList() != nullptr) return builder.names(context->identityList()->qualifiedName());
  return {builder.name(context->qualifiedName())};
}

ast::Callers build_callers(Builder& builder, P::CallersContext* context) {
  ast::Callers callers;
  callers.span = builder.span(context);
  if (context->via() != nullptr) {
    callers.via = build_via(builder, context->via());
    callers.via_span = builder.span(context->via());
  }
  if (context->ANY() != nullptr) callers.kind = ast::Callers::Kind::any;
  if (context->AUTHENTICATED() != nullptr) callers.kind = ast::Callers::Kind::authenticated;
  if (context->UNAUTHENTICATED() != nullptr) callers.kind = ast::Callers::Kind::unauthenticated;
  const auto names = context->qualifiedName();
  if (!names.empty()) callers.kind = ast::Callers::Kind::names;
  callers.names = builder.names(names);
  return callers;
}

}  // namespace heddle::syntax
