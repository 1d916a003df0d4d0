#include "compiler/sema/conditions.h"

#include <algorithm>
#include <memory>
#include <set>
#include <utility>

#include "compiler/diagnostics/kinds.h"
#include "compiler/diagnostics/suggest.h"
#include "compiler/sema/changes.h"
#include "compiler/sema/literals.h"
#include "compiler/sema/numbers.h"
#include "compiler/sema/regex.h"

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
constexpr Row rows[] = {
    {Attribute::path, Operator::is},         {Attribute::path, Operator::under},
    {Attribute::path, Operator::starts},     {Attribute::path, Operator::ends},
    {Attribute::path, Operator::like},       {Attribute::path, Operator::matches},
    {Attribute::host, Operator::is},         {Attribute::host, Operator::under},
    {Attribute::host, Operator::matches},    {Attribute::method, Operator::is},
    {Attribute::address, Operator::is},      {Attribute::port, Operator::is},
    {Attribute::header, Operator::present},  {Attribute::header, Operator::absent},
    {Attribute::header, Operator::is},       {Attribute::header, Operator::starts},
    {Attribute::header, Operator::ends},     {Attribute::header, Operator::contains},
    {Attribute::header, Operator::matches},  {Attribute::header, Operator::has},
    {Attribute::query, Operator::present},  {Attribute::query, Operator::absent},
    {Attribute::query, Operator::is},       {Attribute::query, Operator::starts},
    {Attribute::query, Operator::ends},     {Attribute::query, Operator::contains},
    {Attribute::query, Operator::matches},
    {Attribute::cookie, Operator::present},  {Attribute::cookie, Operator::absent},
    {Attribute::cookie, Operator::is},       {Attribute::cookie, Operator::starts},
    {Attribute::cookie, Operator::ends},     {Attribute::cookie, Operator::contains},
    {Attribute::cookie, Operator::matches},
    {Attribute::from, Operator::is},         {Attribute::sni, Operator::is},
    {Attribute::sni, Operator::under},
    {Attribute::claim, Operator::present},  {Attribute::claim, Operator::absent},
    {Attribute::claim, Operator::is},       {Attribute::claim, Operator::starts},
    {Attribute::claim, Operator::ends},     {Attribute::claim, Operator::contains},
    {Attribute::claim, Operator::matches},  {Attribute::claim, Operator::has},
};

constexpr const char* attribute_names[] = {"path",   "host",    "method", "header", "query", "cookie",
                                           "address", "port",   "from",   "sni",    "claim", "user"};
constexpr const char* operator_names[] = {"is",       "in",   "not in",  "under",   "starts", "ends",
                                          "contains", "like", "matches", "has", "present", "absent"};

bool is_list(Operator op) {
  return op == Operator::in || op == Operator::not_in;
}

bool has_row(Attribute attribute, Operator op) {
  const Operator plain = is_list(op) ? Operator::is : op;
  return std::any_of(std::begin(rows), std::end(rows),
                     [&](const Row& r) { return r.attribute == attribute && r.op == plain; });
}

std::string operators_of(Attribute attribute) {
  std::string text;
  for (const Row& row : rows) {
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
    case Operator::ends:
      return model::Operator::ends;
    case Operator::contains:
      return model::Operator::contains;
    case Operator::like:
      return model::Operator::like;
    case Operator::matches:
      return model::Operator::matches;
    case Operator::has:
      return model::Operator::has;
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

/// What part of the value the operand is.
Part part_of(Operator op) {
  switch (op) {
    case Operator::starts:
      return Part::beginning;
    case Operator::contains:
      return Part::middle;
    case Operator::ends:
      return Part::end;
    default:
      return Part::whole;
  }
}

/// Checks one comparison; what is wrong is reported and makes `right` false.
class TestChecker {
 public:
  TestChecker(RuleScope& scope, const ast::Test& test) : scope_(scope), test_(test) {}

  std::optional<model::Condition> check(source::Span span) {
    if (scope_.of_token && test_.attribute != Attribute::claim) {
      const std::string name = test_.attribute == Attribute::filter ? test_.filter.text() : attribute_name(test_.attribute);
      scope_.analysis.report(kinds::only_claims(test_.attribute_span, name))
          .with_help("what a request is asked for stands in a `when`");
      return std::nullopt;
    }
    if (test_.attribute == Attribute::filter) return check_filter(span);
    if (!check_operator()) return std::nullopt;
    if (test_.attribute == Attribute::from) return check_from(span);
    const bool of_connection = test_.attribute == Attribute::port || test_.attribute == Attribute::address;
    if (scope_.every == RuleScope::Every::any && !of_connection) {
      const bool sni = test_.attribute == Attribute::sni;
      scope_.analysis
          .report(kinds::not_on_every(test_.attribute_span, attribute_name(test_.attribute), sni ? "TLS" : "HTTP",
                                      sni ? "http" : "tcp"))
          .with_help(sni ? "test it in the `access` of each tls service"
                         : "write `access every http service`, or test `from`, `address` and `port` only");
      return std::nullopt;
    }
    if (!is_known()) {
      report_unknown();
      return std::nullopt;
    }
    if (test_.name) check_name(*test_.name);
    if (test_.attribute == Attribute::claim) check_claim();
    for (const ast::String& operand : test_.operands) check_operand(operand);
    if (!right_) return std::nullopt;
    return negated(make_alternatives(span), span);
  }

 private:
  bool check_operator() {
    const char* attribute = attribute_name(test_.attribute);
    const char* op = operator_names[static_cast<int>(test_.op)];
    if (has_row(test_.attribute, test_.op)) return true;
    scope_.analysis.report(kinds::bad_operator(test_.op_span, attribute, op))
        .with_help("`" + std::string(attribute) + "` has " + operators_of(test_.attribute));
    return false;
  }

  /// Whether the mesh knows that of what comes to the service.
  [[nodiscard]] bool is_known() const {
    const Attribute attribute = test_.attribute;
    if (attribute == Attribute::sni) return scope_.is_tls();
    return !scope_.is_tcp_like() || attribute == Attribute::port || attribute == Attribute::address;
  }

  void report_unknown() {
    if (test_.attribute == Attribute::sni) {
      scope_.report_only_on_tls(test_.attribute_span, "sni");
    } else {
      scope_.report_not_on_tcp(test_.attribute_span, attribute_name(test_.attribute));
    }
  }

  /// A name alone: a filter of the policy's.
  std::optional<model::Condition> check_filter(source::Span span) {
    const auto* found = scope_.analysis.filters.find(test_.filter, scope_.space);
    if (found == nullptr) {
      if (!scope_.analysis.names_may_be_missing) report_unknown_name();
      return std::nullopt;
    }
    if (test_.compared) {
      scope_.analysis.report(kinds::bad_operator(test_.op_span, test_.filter.text(), operator_names[static_cast<int>(test_.op)]))
          .with_help("`" + test_.filter.text() + "` is an `extern`: it holds or it does not, and its name alone is the condition");
      return std::nullopt;
    }
    model::Condition condition;
    condition.span = span;
    condition.test.attribute = model::Attribute::filter;
    condition.test.op = model::Operator::present;
    condition.test.name = found->first;
    condition.test.filter = found->second.id;
    return condition;
  }

  void report_unknown_name() {
    const std::string name = test_.filter.text();
    std::vector<std::string> known;
    for (const Row& row : rows) known.emplace_back(attribute_name(row.attribute));
    const std::vector<std::string> filters = scope_.analysis.filters.names_in(scope_.space);
    known.insert(known.end(), filters.begin(), filters.end());
    auto& diagnostic = scope_.analysis.report(kinds::unknown_attribute(test_.attribute_span, name));
    const auto meant = diagnostics::did_you_mean(name, known);
    diagnostic.with_help(meant ? *meant
                               : "a condition tests `path`, `host`, `method`, `header \"name\"`, `query \"name\"`, "
                                 "`cookie \"name\"`, `claim \"name\"`, `address`, `port`, `sni` or `from`, or is the name of an `extern`");
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

  void check_name(const ast::String& written) {
    if (auto name = check_tested_name(scope_, test_.attribute, written)) {
      name_ = std::move(*name);
    } else {
      right_ = false;
    }
  }

  void check_claim() {
    auto path = check_tested_claim(scope_, test_.claim);
    right_ = right_ && path;
    if (!path) return;
    name_ = model::claim_text(*path);
    claim_ = std::move(*path);
    if (!scope_.of_token) scope_.analysis.not_built("claim", test_.attribute_span);
  }

  void check_operand(const ast::String& operand) {
    if (test_.op == Operator::matches) return check_regex(operand);
    if (test_.op == Operator::has && test_.attribute == Attribute::header) return check_element(operand);
    if (part_of(test_.op) != Part::whole && operand.value.empty()) {
      const std::string op = operator_names[static_cast<int>(test_.op)];
      auto& diagnostic = fail(scope_.analysis.report(kinds::empty_operand(operand.span, op)));
      if (test_.name || test_.attribute == Attribute::claim) diagnostic.with_help("write `present`");
      return;
    }
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
        if (const auto never = check_header_value(operand.value, part_of(test_.op))) {
          suggest(fail(scope_.analysis.report(
                      kinds::header_never_matches(operand.span, operand.value, never->why))),
                  *never);
        }
        return;
      case Attribute::address:
        right_ = address_range(scope_.analysis.sink, operand).has_value() && right_;
        return;
      case Attribute::port:
        return check_port(operand);
      case Attribute::query:
        return check_named_value(operand, check_query_value(operand.value, part_of(test_.op), scope_.model_service().paths));
      case Attribute::cookie:
        return check_named_value(operand, check_cookie_value(operand.value, part_of(test_.op)));
      case Attribute::method:
        if (!is_method(operand.value)) {
          fail(scope_.analysis.report(kinds::bad_method(operand.span, operand.value)))
              .with_help(is_method(to_upper(operand.value)) ? "write `" + to_upper(operand.value) + "`"
                                                            : "a method has upper-case letters and `-`");
        }
        return;
      case Attribute::sni:
        if (const auto never = check_server_name(to_lower(operand.value))) {
          suggest(fail(scope_.analysis.report(kinds::name_never_matches(operand.span, operand.value, never->why))),
                  *never);
        }
        return;
      case Attribute::from:
      case Attribute::claim:  // any text may be one
      case Attribute::user:
      case Attribute::filter:
        return;
    }
  }

  /// An element of a list has no comma, and is not empty.
  void check_element(const ast::String& operand) {
    const char* why = operand.value.empty() ? "an element of a list is not empty" : "`,` separates the elements of a list";
    if (operand.value.empty() || operand.value.find(',') != std::string::npos) {
      fail(scope_.analysis.report(kinds::header_never_matches(operand.span, operand.value, why)));
    } else if (const auto never = check_header_value(operand.value, Part::whole)) {
      suggest(fail(scope_.analysis.report(kinds::header_never_matches(operand.span, operand.value, never->why))), *never);
    }
  }

  void check_named_value(const ast::String& operand, const std::optional<NeverMatches>& never) {
    if (!never) return;
    const std::string attribute = attribute_name(test_.attribute);
    suggest(fail(scope_.analysis.report(
                kinds::value_never_matches(operand.span, attribute, operand.value, never->why))),
            *never);
  }

  static bool has_port(const model::Service& service, std::uint32_t port) {
    const auto has_it = [port](const auto& list, const auto& address_of) {
      return std::any_of(list.begin(), list.end(), [&](const auto& each) { return address_of(each).port == port; });
    };
    return has_it(service.addresses, [](const auto& address) { return address; }) ||
           has_it(service.endpoints, [](const auto& endpoint) { return endpoint.address; });
  }

  /// A port that nobody can dial is never the one; of `access every` some service has it.
  void check_port(const ast::String& operand) {
    const auto port = number_in(scope_.analysis.sink, {operand.value, operand.span}, "a port", 1, 65535);
    if (!port) {
      right_ = false;
    } else if (scope_.every != RuleScope::Every::no) {
      const auto& services = scope_.analysis.policy.services;
      if (std::any_of(services.begin(), services.end(), [&](const auto& service) { return has_port(service, *port); })) return;
      fail(scope_.analysis.report(kinds::no_such_port(operand.span, operand.value)));
    } else if (const model::Service& service = scope_.model_service(); !has_port(service, *port)) {
      fail(scope_.analysis.report(kinds::unknown_port(operand.span, service.name, operand.value)));
    }
  }

  /// An expression that is read is kept for `make_test`.
  void check_regex(const ast::String& operand) {
    const bool escapes = test_.attribute == Attribute::path || test_.attribute == Attribute::query;
    const RegexText of = escapes                              ? RegexText::escapes
                         : test_.attribute == Attribute::host ? RegexText::host
                                                              : RegexText::bytes;
    ReadRegex read = read_regex(operand.value, of);
    if (read.error) {
      source::Span place = operand.span;
      place.begin = std::min(place.end, place.begin + static_cast<std::uint32_t>(read.error->at));
      place.end = std::min(place.end, place.begin + static_cast<std::uint32_t>(read.error->length));
      auto& diagnostic = fail(scope_.analysis.report(kinds::bad_regex(place, read.error->why)));
      if (!read.error->help.empty()) diagnostic.with_help(read.error->help);
    } else if (size_of(read.regex) > max_regex_size) {
      fail(scope_.analysis.report(kinds::regex_too_large(operand.span, max_regex_size)))
          .with_help("`{m,n}` counts n times, one within the other multiplied");
    } else if (test_.attribute == Attribute::path && !may_begin_with(read.regex, '/')) {
      fail(scope_.analysis.report(kinds::path_never_matches(operand.span, operand.value, "a path begins with `/`")))
          .with_help("an expression matches the whole path: begin it with `\\/`, or with `.*`");
    } else {
      regex_ = std::make_shared<const model::Regex>(std::move(read.regex));
    }
  }

  void check_path_operand(const ast::String& operand) {
    if (test_.op == Operator::like) {
      if (const auto never = check_like(operand.value)) {
        return suggest(fail(scope_.analysis.report(kinds::bad_like(operand.span, operand.value, never->why))), *never);
      }
    }
    if (const auto never = check_path(operand.value, part_of(test_.op), scope_.model_service().paths)) {
      suggest(
          fail(scope_.analysis.report(kinds::path_never_matches(operand.span, operand.value, never->why))),
          *never);
    } else if (test_.op == Operator::under && operand.value.size() > 1 && operand.value.ends_with("/")) {
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

  /// Of an operand that was found right.
  void set_operand(const ast::String& operand, model::Condition& condition) const {
    if (test_.attribute == Attribute::address) {
      condition.test.range = *address_range(scope_.analysis.sink, operand);
      condition.test.literal = condition.test.range.text();
    }
    if (test_.attribute == Attribute::port) {
      condition.test.port = static_cast<std::uint16_t>(std::stoul(operand.value));
      condition.test.literal = std::to_string(condition.test.port);
    }
  }

  [[nodiscard]] std::string normal_form(const std::string& operand) const {
    if (test_.op == Operator::matches) return operand;
    const bool has_no_case = test_.attribute == Attribute::host || test_.attribute == Attribute::sni;
    if (test_.ignoring_case || has_no_case) return to_lower(operand);
    const bool escapes = test_.attribute == Attribute::path || test_.attribute == Attribute::query;
    return escapes ? normalise_path(operand) : operand;
  }

  [[nodiscard]] model::Condition make_test(source::Span span, std::string literal) const {
    model::Condition condition;
    condition.span = span;
    condition.test.attribute = model_attribute(test_.attribute);
    condition.test.op = model_operator(test_.op);
    condition.test.name = name_;
    condition.test.claim = claim_;
    condition.test.literal = std::move(literal);
    condition.test.ignoring_case = test_.ignoring_case;
    condition.test.regex = regex_;
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
      model::Condition one = make_test(is_list(test_.op) ? operand.span : span, std::move(literal));
      set_operand(operand, one);
      if (seen.insert(one.test.literal).second) any.children.push_back(std::move(one));
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
  std::vector<std::string> claim_;
  std::shared_ptr<const model::Regex> regex_;
  bool right_ = true;
};

model::Condition::Kind model_kind(ast::Condition::Kind kind) {
  if (kind == ast::Condition::Kind::all) return model::Condition::Kind::all;
  return kind == ast::Condition::Kind::any ? model::Condition::Kind::any : model::Condition::Kind::negation;
}

}  // namespace

namespace {

void label_protocol(const RuleScope& scope, diagnostics::Diagnostic& diagnostic) {
  const ast::Service& node = *scope.analysis.services.at(scope.model_service().name)->second.node;
  if (!node.protocols.empty())
    diagnostic.with_label(node.protocols.front().span, "the protocol is declared here");
}

}  // namespace

void RuleScope::report_not_on_tcp(source::Span span, const std::string& what) const {
  const char* protocol = model::protocol_name(model_service().protocol);
  auto& diagnostic = analysis.report(kinds::not_on_tcp(span, what, model_service().name, protocol));
  label_protocol(*this, diagnostic);
  diagnostic.with_help(is_tls() ? "a tls connection is decided once, by `from`, `address`, `port` and `sni`"
                                : "a tcp connection is decided once, by `from`, `address` and `port`");
}

void RuleScope::report_only_on_tls(source::Span span, const std::string& what) const {
  const char* protocol = model::protocol_name(model_service().protocol);
  auto& diagnostic = analysis.report(kinds::only_on_tls(span, what, model_service().name, protocol));
  label_protocol(*this, diagnostic);
  diagnostic.with_help(is_tcp_like() ? "a service that is to be asked for by a name is `protocol tls`"
                                     : "of a request `host` is known");
}

const char* attribute_name(Attribute attribute) {
  return attribute_names[static_cast<int>(attribute)];
}

model::Attribute model_attribute(Attribute attribute) {
  static constexpr model::Attribute attributes[] = {
      model::Attribute::path,  model::Attribute::host,   model::Attribute::method,
      model::Attribute::header, model::Attribute::query, model::Attribute::cookie,
      model::Attribute::address, model::Attribute::port, model::Attribute::from, model::Attribute::sni,
      model::Attribute::claim, model::Attribute::user, model::Attribute::filter};
  return attributes[static_cast<int>(attribute)];
}

namespace {

/// Why no request can be asked for that name; reported.
bool report_bad_name(RuleScope& scope, Attribute attribute, const std::string& name, const ast::String& written) {
  const std::string token = "a name has letters, digits and ``!#$%&'*+-.^_`|~``";
  if (attribute == Attribute::header && !is_token(name)) {
    scope.analysis.report(kinds::bad_header_name(written.span, written.value)).with_help(token);
  } else if (const char* why = attribute == Attribute::header ? why_reserved(name) : nullptr) {
    scope.analysis.report(kinds::reserved_header(written.span, name, why));
  } else if (attribute == Attribute::cookie && !is_token(name)) {
    scope.analysis.report(kinds::bad_name(written.span, "cookie", written.value)).with_help(token);
  } else if (attribute == Attribute::query && !is_query_name(name)) {
    scope.analysis.report(kinds::bad_name(written.span, "query parameter", written.value))
        .with_help("a name has visible ASCII but `&`, `=`, `#` and `%`: one with escapes cannot be tested");
  } else {
    return false;
  }
  return true;
}

}  // namespace

std::optional<std::string> check_tested_name(RuleScope& scope, Attribute attribute, const ast::String& written) {
  std::string name = attribute == Attribute::header ? to_lower(written.value) : written.value;
  if (report_bad_name(scope, attribute, name, written)) return std::nullopt;
  if (scope.names.emplace(attribute, name).second && scope.names.size() == max_tested_names + 1) {
    scope.analysis
        .report(kinds::too_many_names(written.span, scope.model_service().name, max_tested_names))
        .with_help("every request pays for every name that is looked for");
    return std::nullopt;
  }
  return name;
}

namespace {

/// What users ask through is peers, and who asks through them is users.
bool check_via(RuleScope& scope, const ast::Callers& written, model::Callers& callers) {
  const model::Policy& policy = scope.analysis.policy;
  bool right = true;
  for (const ast::QualifiedName& name : written.via) {
    const auto id = resolve_identity(scope.analysis, name, scope.space);
    if (id) callers.via.push_back(*id);
    if (id && model::has_user(policy, *id)) {
      scope.analysis.report(kinds::bad_via(name.span, name.text(), "behind", "it is a user's"))
          .with_help("users ask through peers: `from admin via web`");
      right = false;
    }
    right = right && id.has_value();
  }
  for (std::size_t i = 0; i < callers.identities.size() && i < written.names.size(); ++i) {
    const ast::QualifiedName& name = written.names[i];
    const auto* found = scope.analysis.identities.find(name, scope.space);
    if (found == nullptr) continue;
    const model::Identity& identity = policy.identities[found->second.id];
    if (identity.patterns.empty() && model::has_user(policy, found->second.id)) continue;
    scope.analysis.report(kinds::bad_via(name.span, name.text(), "in front of", identity.group ? "not all its members are users" : "it is a peer's"))
        .with_help("users ask through peers: `from admin via web`");
    right = false;
  }
  std::sort(callers.via.begin(), callers.via.end());
  callers.via.erase(std::unique(callers.via.begin(), callers.via.end()), callers.via.end());
  return right;
}

}  // namespace

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
  if (!callers.via.empty()) right = check_via(scope, callers, result) && right;
  for (const ast::QualifiedName& name : callers.names) {
    const auto* found = scope.analysis.identities.find(name, scope.space);
    if (found == nullptr || !model::has_user(scope.analysis.policy, found->second.id)) continue;
    // A token is a header of a request.
    if (scope.every == RuleScope::Every::any) {
      scope.analysis.report(kinds::not_on_every(name.span, name.text(), "HTTP", "tcp"))
          .with_help("it is a user's: write `access every http service`");
      right = false;
    } else if (scope.is_tcp_like()) {
      scope.report_not_on_tcp(name.span, name.text());
      right = false;
    }
  }
  if (!right) return std::nullopt;
  std::sort(result.identities.begin(), result.identities.end());
  result.identities.erase(std::unique(result.identities.begin(), result.identities.end()),
                          result.identities.end());
  return result;
}

std::optional<std::vector<std::string>> check_tested_claim(RuleScope& scope, const std::vector<ast::String>& written) {
  auto path = check_claim_path(scope.analysis.sink, written);
  if (!path || scope.of_token) return path;
  const bool is_new = scope.names.emplace(Attribute::claim, model::claim_text(*path)).second;
  if (!is_new || scope.names.size() != max_tested_names + 1) return path;
  scope.analysis.report(kinds::too_many_names(written.front().span, scope.model_service().name, max_tested_names))
      .with_help("every request pays for every name that is looked for");
  return std::nullopt;
}

std::optional<model::Condition> check_token_condition(Analysis& analysis, const ast::Condition& condition) {
  RuleScope scope{analysis, "", 0};
  scope.of_token = true;
  return check_condition(scope, condition);
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
