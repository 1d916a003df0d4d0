#include "compiler/sema/conditions.h"

#include <algorithm>
#include <set>
#include <utility>

#include "compiler/diagnostics/kinds.h"
#include "compiler/sema/literals.h"

namespace heddle::sema {

namespace kinds = diagnostics::kinds;

namespace {

using ast::Attribute;
using ast::Operator;

struct Row {
  Attribute attribute;
  Operator op;
};

// What can be said of which attribute; `in` and `not in` go with `is`.
constexpr Row built[] = {
    {Attribute::path, Operator::is},        {Attribute::path, Operator::under},
    {Attribute::path, Operator::starts},    {Attribute::host, Operator::is},
    {Attribute::method, Operator::is},      {Attribute::header, Operator::is},
    {Attribute::header, Operator::present}, {Attribute::header, Operator::absent},
    {Attribute::from, Operator::is},
};

// What the language has and this version does not build.
constexpr Row not_built[] = {{Attribute::host, Operator::under}, {Attribute::header, Operator::starts}};

constexpr const char* attribute_names[] = {"path", "host", "method", "header", "from"};
constexpr const char* operator_names[] = {"is", "in", "not in", "under", "starts", "present", "absent"};

bool is_list(Operator op) {
  return op == Operator::in || op == Operator::not_in;
}

template <std::size_t Size>
bool has_row(const Row (&table)[Size], Attribute attribute, Operator op) {
  const Operator plain = is_list(op) ? Operator::is : op;
  return std::any_of(std::begin(table), std::end(table),
                     [&](const Row& r) { return r.attribute == attribute && r.op == plain; });
}

std::string operators_of(Attribute attribute) {
  std::string text;
  for (const Row& row : built) {
    if (row.attribute != attribute) continue;
    text += (text.empty() ? "`" : ", `") + std::string(operator_names[static_cast<int>(row.op)]) + "`";
    if (row.op == Operator::is) text += ", `in`, `not in`";
  }
  return text;
}

model::Operator model_operator(Operator op) {
  switch (op) {
    case Operator::under:
      return model::Operator::under;
    case Operator::starts:
      return model::Operator::starts;
    case Operator::present:
      return model::Operator::present;
    case Operator::absent:
      return model::Operator::absent;
    case Operator::is:
    case Operator::in:
    case Operator::not_in:
      break;
  }
  return model::Operator::is;
}

/// Checks one comparison; what is wrong is reported and makes `right` false.
class TestChecker {
 public:
  TestChecker(RuleScope& scope, const ast::Test& test) : scope_(scope), test_(test) {}

  std::optional<model::Condition> check(source::Span span) {
    if (!check_operator()) return std::nullopt;
    if (test_.attribute == Attribute::from) return check_from(span);
    if (scope_.is_tcp()) {
      scope_.report_not_on_tcp(test_.attribute_span, attribute_names[static_cast<int>(test_.attribute)]);
      return std::nullopt;
    }
    if (test_.attribute == Attribute::header) check_header_name();
    for (const ast::String& operand : test_.operands) check_operand(operand);
    if (!right_) return std::nullopt;
    return negated(make_alternatives(span), span);
  }

 private:
  bool check_operator() {
    const char* attribute = attribute_names[static_cast<int>(test_.attribute)];
    const char* op = operator_names[static_cast<int>(test_.op)];
    if (has_row(built, test_.attribute, test_.op)) return true;
    if (has_row(not_built, test_.attribute, test_.op)) {
      scope_.analysis.report(kinds::not_supported(test_.op_span, std::string(attribute) + " … " + op));
    } else {
      scope_.analysis.report(kinds::bad_operator(test_.op_span, attribute, op))
          .with_help("`" + std::string(attribute) + "` has " + operators_of(test_.attribute));
    }
    return false;
  }

  std::optional<model::Condition> check_from(source::Span span) {
    auto callers = check_callers(scope_, test_.callers);
    if (!callers) return std::nullopt;
    model::Condition condition;
    condition.span = span;
    condition.test.attribute = model::Attribute::from;
    condition.test.callers = std::move(*callers);
    return negated(std::move(condition), span);
  }

  void check_header_name() {
    const ast::String& written = *test_.name;
    name_ = to_lower(written.value);
    if (!is_header_name(name_)) {
      fail(scope_.analysis.report(kinds::bad_header_name(written.span, written.value)))
          .with_help("a name has letters, digits and ``!#$%&'*+-.^_`|~``");
    } else if (const char* why = why_reserved(name_)) {
      fail(scope_.analysis.report(kinds::reserved_header(written.span, name_, why)));
    } else if (scope_.headers.try_emplace(name_, written.span).second &&
               scope_.headers.size() == max_tested_names + 1) {
      fail(scope_.analysis.report(
               kinds::too_many_headers(written.span, scope_.model_service().name, max_tested_names)))
          .with_help("every request pays for every name that is looked for");
    }
  }

  void check_operand(const ast::String& operand) {
    switch (test_.attribute) {
      case Attribute::path:
        return check_path_operand(operand);
      case Attribute::host:
        if (const auto never = check_host(to_lower(operand.value))) {
          suggest(fail(scope_.analysis.report(
                      kinds::host_never_matches(operand.span, operand.value, never->why))),
                  *never);
        }
        return;
      case Attribute::header:
        if (const auto never = check_header_value(operand.value)) {
          suggest(fail(scope_.analysis.report(
                      kinds::header_never_matches(operand.span, operand.value, never->why))),
                  *never);
        }
        return;
      case Attribute::method:
        if (!is_method(operand.value)) {
          fail(scope_.analysis.report(kinds::bad_method(operand.span, operand.value)))
              .with_help(is_method(to_upper(operand.value)) ? "write `" + to_upper(operand.value) + "`"
                                                            : "a method has upper-case letters and `-`");
        }
        return;
      case Attribute::from:
        return;
    }
  }

  void check_path_operand(const ast::String& operand) {
    const PathTest kind = test_.op == Operator::under    ? PathTest::under
                          : test_.op == Operator::starts ? PathTest::starts
                                                         : PathTest::is;
    if (const auto never = check_path(operand.value, kind)) {
      suggest(
          fail(scope_.analysis.report(kinds::path_never_matches(operand.span, operand.value, never->why))),
          *never);
    } else if (kind == PathTest::under && operand.value.size() > 1 && operand.value.ends_with("/")) {
      fail(scope_.analysis.report(kinds::under_with_slash(operand.span, operand.value)))
          .with_help("`under` goes by whole segments: write `\"" +
                     operand.value.substr(0, operand.value.size() - 1) + "\"`");
    }
  }

  diagnostics::Diagnostic& fail(diagnostics::Diagnostic& diagnostic) {
    right_ = false;
    return diagnostic;
  }

  static void suggest(diagnostics::Diagnostic& diagnostic, const NeverMatches& never) {
    if (!never.spelling.empty())
      diagnostic.with_help("write `\"" + diagnostics::shortened(never.spelling) + "\"`");
  }

  [[nodiscard]] std::string normal_form(const std::string& operand) const {
    if (test_.attribute == Attribute::path) return normalise_path(operand);
    return test_.attribute == Attribute::host ? to_lower(operand) : operand;
  }

  [[nodiscard]] model::Condition make_test(source::Span span, std::string literal) const {
    static constexpr model::Attribute attributes[] = {model::Attribute::path, model::Attribute::host,
                                                      model::Attribute::method, model::Attribute::header,
                                                      model::Attribute::from};
    model::Condition condition;
    condition.span = span;
    condition.test.attribute = attributes[static_cast<int>(test_.attribute)];
    condition.test.op = model_operator(test_.op);
    condition.test.name = name_;
    condition.test.literal = std::move(literal);
    return condition;
  }

  [[nodiscard]] model::Condition make_alternatives(source::Span span) const {
    if (test_.operands.empty()) return make_test(span, "");
    model::Condition any;
    any.kind = model::Condition::Kind::any;
    any.span = span;
    std::set<std::string> seen;
    for (const ast::String& operand : test_.operands) {
      std::string literal = normal_form(operand.value);
      if (seen.insert(literal).second)
        any.children.push_back(make_test(is_list(test_.op) ? operand.span : span, std::move(literal)));
    }
    if (any.children.size() > 1) return any;
    model::Condition single = std::move(any.children.front());
    single.span = span;
    return single;
  }

  [[nodiscard]] model::Condition negated(model::Condition inner, source::Span span) const {
    if (test_.op != Operator::not_in) return inner;
    model::Condition negation;
    negation.kind = model::Condition::Kind::negation;
    negation.span = span;
    negation.children.push_back(std::move(inner));
    return negation;
  }

  RuleScope& scope_;
  const ast::Test& test_;
  std::string name_;
  bool right_ = true;
};

model::Condition::Kind model_kind(ast::Condition::Kind kind) {
  if (kind == ast::Condition::Kind::all) return model::Condition::Kind::all;
  return kind == ast::Condition::Kind::any ? model::Condition::Kind::any : model::Condition::Kind::negation;
}

}  // namespace

void RuleScope::report_not_on_tcp(source::Span span, const std::string& what) const {
  const ast::Service& node = *analysis.services.at(model_service().name)->second.node;
  auto& diagnostic = analysis.report(kinds::not_on_tcp(span, what, model_service().name));
  if (!node.protocols.empty())
    diagnostic.with_label(node.protocols.front().span, "the protocol is declared here");
  diagnostic.with_help("a tcp service is decided when somebody connects, by `from`");
}

std::optional<model::Callers> check_callers(RuleScope& scope, const ast::Callers& callers) {
  using Kind = model::Callers::Kind;
  model::Callers result;
  if (callers.kind == ast::Callers::Kind::any) return result;
  result.kind =
      callers.kind == ast::Callers::Kind::authenticated ? Kind::authenticated : Kind::unauthenticated;
  if (callers.kind != ast::Callers::Kind::names) return result;
  result.kind = Kind::identities;
  bool right = true;
  for (const ast::QualifiedName& name : callers.names) {
    const auto id = resolve_identity(scope.analysis, name, scope.space);
    if (id) result.identities.push_back(*id);
    right = right && id.has_value();
  }
  if (!right) return std::nullopt;
  std::sort(result.identities.begin(), result.identities.end());
  result.identities.erase(std::unique(result.identities.begin(), result.identities.end()),
                          result.identities.end());
  return result;
}

std::optional<model::Condition> check_condition(RuleScope& scope, const ast::Condition& condition) {
  if (condition.kind == ast::Condition::Kind::test)
    return TestChecker(scope, condition.test).check(condition.span);
  model::Condition result;
  result.kind = model_kind(condition.kind);
  result.span = condition.span;
  bool right = condition.kind != ast::Condition::Kind::unsupported;
  for (const ast::Condition& child : condition.children) {
    auto checked = check_condition(scope, child);
    right = right && checked.has_value();
    if (checked) result.children.push_back(std::move(*checked));
  }
  if (!right) return std::nullopt;
  return result;
}

}  // namespace heddle::sema
