#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "compiler/diagnostics/kinds.h"
#include "compiler/diagnostics/suggest.h"
#include "compiler/sema/analysis.h"
#include "compiler/sema/literals.h"
#include "compiler/sema/numbers.h"
#include "compiler/sema/requests.h"
#include "compiler/sema/targets.h"

namespace heddle::sema {

namespace kinds = diagnostics::kinds;

namespace {

using Kind = ast::Expectation::Kind;

/// Every id that a decision of this version can name.
std::set<std::string> all_rule_ids(const model::Policy& policy) {
  std::set<std::string> ids = {model::rule_malformed, model::rule_path, model::rule_outside};
  for (const model::Service& service : policy.services) {
    ids.insert(model::rule_id("access", service.name, "default"));
    ids.insert(model::rule_id("route", service.name, "otherwise"));
    for (const char* outcome : {"unhealthy", "full", "timeout"})
      ids.insert(model::rule_id("service", service.name, outcome));
    for (const model::Limit& limit : service.limits) ids.insert(limit.id);
    for (const model::RouteRule& rule :
         service.route ? service.route->rules : std::vector<model::RouteRule>())
      ids.insert(rule.id);
    for (const model::AccessRule& rule :
         service.access ? service.access->rules : std::vector<model::AccessRule>())
      ids.insert(rule.id);
    if (model::is_on_trial(service)) ids.insert(model::rule_id("access", service.name, "audit"));
  }
  return ids;
}

class Tests {
 public:
  // Ids of rules that were not right are missing; they are looked up in right policies only.
  explicit Tests(Analysis& analysis) : analysis_(analysis), rules_are_right_(!analysis.sink.has_errors()) {
    if (rules_are_right_) rule_ids_ = all_rule_ids(analysis.policy);
  }

  void add(const ast::TestBlock& node, const std::string& space) {
    model::TestBlock block;
    block.name = node.name.value;
    block.span = node.name.span;
    const auto [first, is_new] = names_.try_emplace(block.name, node.name.span);
    if (!is_new)
      analysis_.report(kinds::duplicate_name(node.name.span, "test", block.name))
          .with_label(first->second, "the first one");
    for (const source::Span stray : node.stray_expectations) {
      if (!node.broken)
        analysis_.report(kinds::stray_expectation(stray))
            .with_help("an `expect` stands behind the `send` that it is about");
    }
    if (node.cases.empty() && !node.broken) analysis_.report(kinds::nothing_expected(node.name.span, "test"));
    for (const ast::TestCase& test : node.cases) add_case(test, space, node.broken, block);
    analysis_.policy.tests.push_back(std::move(block));
  }

 private:
  void add_case(const ast::TestCase& node, const std::string& space, bool broken, model::TestBlock& block) {
    const RequestScope scope{analysis_.policy, analysis_.sink, space, analysis_.names_may_be_missing};
    if (node.expect.empty() && !broken) {
      analysis_.report(kinds::nothing_expected(node.send.span, "request"))
          .with_help("say what should happen: `expect allowed`, `expect denied`, `expect route …`");
    }
    check_contradictions(node.expect);
    auto request = check_request(scope, node.send);
    if (!request) return;
    const model::Service& service = analysis_.policy.services[request->service];
    model::TestCase result{std::move(*request), {}};
    for (const ast::Expectation& expectation : node.expect) {
      if (auto checked = check_expectation(expectation, service, space))
        result.expect.push_back(std::move(*checked));
    }
    block.cases.push_back(std::move(result));
  }

  /// `allowed`, `denied`, `refused` and `limited` exclude each other; only what is allowed takes a route or time; the
  /// rest is said once.
  void check_contradictions(const std::vector<ast::Expectation>& all) {
    // A header that is sent may have several lines.
    const auto are_lines = [](const ast::Expectation& a, const ast::Expectation& b) {
      return a.kind == Kind::header && a.value && b.value && a.value->value != b.value->value;
    };
    const auto excludes = [&](const ast::Expectation& a, const ast::Expectation& b) {
      const auto is_end = [](Kind k) { return k == Kind::denied || k == Kind::refused || k == Kind::limited; };
      const auto is_pass = [](Kind k) {
        return k == Kind::allowed || k == Kind::route || k == Kind::timeout || k == Kind::retries || k == Kind::path ||
               k == Kind::host || k == Kind::header || k == Kind::mirror;
      };
      const bool several = a.kind == Kind::response_header || a.kind == Kind::header || a.kind == Kind::mirror;
      const bool same = a.kind == b.kind && (!several || (a.kind != Kind::mirror &&
                                             to_lower(a.header.value) == to_lower(b.header.value) && !are_lines(a, b)));
      return same || (is_end(a.kind) && is_end(b.kind)) || (is_end(a.kind) && is_pass(b.kind)) ||
             (is_pass(a.kind) && is_end(b.kind));
    };
    for (std::size_t i = 0; i < all.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        if (!excludes(all[j], all[i])) continue;
        analysis_.report(kinds::contradiction(all[i].span, word(all[i].kind), word(all[j].kind)))
            .with_label(all[j].span, "expected here");
        break;
      }
    }
  }

  static const char* word(Kind kind) {
    static constexpr const char* words[] = {"allowed", "denied", "refused", "limited",
                                            "route",   "status", "rule",    "timeout", "response header",
                                            "retries", "tier",   "path",    "host",    "header", "mirror"};
    return words[static_cast<int>(kind)];
  }

  std::optional<model::Expectation> check_expectation(const ast::Expectation& node,
                                                      const model::Service& service,
                                                      const std::string& space) {
    static constexpr model::Expectation::Kind kinds_of_model[] = {
        model::Expectation::Kind::allowed, model::Expectation::Kind::denied,
        model::Expectation::Kind::refused, model::Expectation::Kind::limited,
        model::Expectation::Kind::route,   model::Expectation::Kind::status,
        model::Expectation::Kind::rule,    model::Expectation::Kind::timeout,
        model::Expectation::Kind::response_header, model::Expectation::Kind::retries,
        model::Expectation::Kind::tier,    model::Expectation::Kind::path,
        model::Expectation::Kind::host,    model::Expectation::Kind::header,
        model::Expectation::Kind::mirror};
    model::Expectation result;
    result.kind = kinds_of_model[static_cast<int>(node.kind)];
    result.span = node.span;
    const bool needs_status = node.kind == Kind::status || node.kind == Kind::refused;
    const bool needs_http = needs_status || (node.kind >= Kind::timeout && node.kind != Kind::tier);
    if (needs_http && !model::has_requests(service.protocol)) {
      const char* protocol = model::protocol_name(service.protocol);
      analysis_.report(kinds::not_on_tcp(node.span, word(node.kind), service.name, protocol))
          .with_help("a connection is `allowed` or `denied`");
      return std::nullopt;
    }
    if (needs_status) {
      const auto status =
          number_in(analysis_.sink, node.status, "a status", node.kind == Kind::refused ? 400 : 200, 599);
      if (!status) return std::nullopt;
      result.status = static_cast<std::uint16_t>(*status);
    }
    if (node.timeout.time) {
      const auto time = milliseconds(analysis_.sink, *node.timeout.time);
      if (!time) return std::nullopt;
      result.timeout_ms = *time;
    }
    if (node.kind == Kind::response_header && !add_header(node, service, result)) return std::nullopt;
    if (node.kind == Kind::retries) {
      const auto retries = number_in(analysis_.sink, node.status, "the number of retries", 0, 10);
      if (!retries) return std::nullopt;
      result.retries = *retries;
    }
    if ((node.kind == Kind::header || node.kind == Kind::response_header) && !is_token(node.header.value)) {
      analysis_.report(kinds::bad_header_name(node.header.span, node.header.value));
      return std::nullopt;
    }
    if (node.kind == Kind::header) {
      result.header = to_lower(node.header.value);
      if (node.value) result.value = node.value->value;
    }
    if (node.kind == Kind::tier) result.text = node.tier.word;
    if (node.kind == Kind::path || node.kind == Kind::host) result.text = node.text.value;
    if (node.kind == Kind::rule) {
      if (rules_are_right_ && !rule_ids_.contains(node.rule.value)) report_unknown_rule(node.rule);
      result.rule = node.rule.value;
    }
    return add_targets(node, service, space, result) ? std::optional(std::move(result)) : std::nullopt;
  }

  static bool changes(const model::Changes& changes, const std::string& header) {
    return std::any_of(changes.response.begin(), changes.response.end(),
                       [&](const model::HeaderChange& change) { return change.name == header; });
  }

  /// Whether some rule of the service says what becomes of it.
  static bool changes(const model::Service& service, const std::string& header) {
    if (!service.route) return false;
    const bool cors = header.starts_with("access-control-") || header == "vary";
    return std::any_of(service.route->rules.begin(), service.route->rules.end(), [&](const model::RouteRule& rule) {
      return (cors && rule.cors) || changes(rule.changes, header) ||
             std::any_of(rule.target.split.begin(), rule.target.split.end(),
                         [&](const model::SplitPart& part) { return changes(part.changes, header); });
    });
  }

  /// What a server answers is not known, and of the mesh's answers only what the policy says.
  bool add_header(const ast::Expectation& node, const model::Service& service, model::Expectation& result) {
    static constexpr std::string_view known[] = {"content-type", "location", "retry-after"};
    result.header = to_lower(node.header.value);
    if (node.value) result.value = node.value->value;
    if (std::find(std::begin(known), std::end(known), result.header) != std::end(known)) return true;
    if (changes(service, result.header)) return true;
    analysis_
        .report(kinds::unknown_response_header(node.header.span, node.header.value,
                                               "only `content-type`, `location` and `retry-after` are"))
        .with_help("which rule answered is expected with `rule`, and its status with `status`");
    return false;
  }

  bool add_targets(const ast::Expectation& node, const model::Service& service, const std::string& space,
                   model::Expectation& result) {
    const auto& entry = analysis_.services.at(service.name)->second;
    const bool missing_is_fine = entry.node->broken || analysis_.names_may_be_missing;
    for (const ast::QualifiedName& target : node.targets) {
      const auto pool = find_pool(analysis_.sink, analysis_.policy, entry.id, target, space, missing_is_fine);
      if (!pool) return false;
      const model::Service& of = analysis_.policy.services[pool->service];
      const std::string subset = pool->subset ? of.subsets[*pool->subset].name : "";
      const bool own = pool->service == entry.id;
      result.targets.push_back(subset.empty() ? of.name : own ? subset : of.name + "." + subset);
    }
    return true;
  }

  void report_unknown_rule(const ast::String& rule) {
    auto& diagnostic = analysis_.report(kinds::unknown_rule(rule.span, rule.value));
    const auto meant = diagnostics::did_you_mean(rule.value, {rule_ids_.begin(), rule_ids_.end()});
    diagnostic.with_help(meant ? *meant
                               : "an id is `route reviews/3`, `access reviews/no-debug`, `mesh/path`");
  }

  Analysis& analysis_;
  bool rules_are_right_;
  std::set<std::string> rule_ids_;
  std::map<std::string, source::Span> names_;
};

}  // namespace

void check_tests(Analysis& analysis) {
  Tests tests(analysis);
  analysis.for_each<ast::TestBlock>(
      [&](const ast::TestBlock& node, const std::string& space) { tests.add(node, space); });
}

}  // namespace heddle::sema
