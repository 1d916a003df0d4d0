#include "compiler/sema/changes.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>
#include <utility>

#include "compiler/diagnostics/kinds.h"
#include "compiler/sema/implied.h"
#include "compiler/sema/literals.h"

namespace heddle::sema {

namespace kinds = diagnostics::kinds;

namespace {

using Kind = ast::Rewrite::Kind;

constexpr std::size_t longest_host = 253;

/// The names of a pattern, in its order.
std::vector<std::string> names_of(std::string_view pattern) {
  std::vector<std::string> names;
  for (std::size_t at = pattern.find("/{"); at != std::string_view::npos; at = pattern.find("/{", at + 1))
    names.emplace_back(pattern.substr(at + 2, pattern.find('}', at) - at - 2));
  return names;
}

class ChangesCheck {
 public:
  ChangesCheck(RuleScope& scope, const RuleCondition& when, model::Changes& changes)
      : scope_(scope), when_(when), changes_(changes) {}

  bool check(const ast::Options& options) {
    const ast::Rewrite* path = nullptr;
    const ast::Rewrite* host = nullptr;
    for (const ast::Rewrite& rewrite : options.rewrites) {
      const bool of_host = rewrite.kind == Kind::host;
      const ast::Rewrite*& first = of_host ? host : path;
      if (first != nullptr) {
        fail(kinds::duplicate_item(rewrite.span, of_host ? "rewrite host" : "rewrite path")).with_label(first->span, "here for the first time");
        continue;
      }
      first = &rewrite;
      take(rewrite);
      scope_.analysis.not_built("rewrite", rewrite.span);
    }
    for (const ast::HeaderChange& change : options.headers) take(change);
    return right_;
  }

 private:
  diagnostics::Diagnostic& fail(diagnostics::Diagnostic diagnostic) {
    right_ = false;
    return scope_.analysis.report(std::move(diagnostic));
  }

  void take(const ast::Rewrite& rewrite) {
    switch (rewrite.kind) {
      case Kind::host:
        return take_host(rewrite);
      case Kind::path:
        refuse_pattern(rewrite.to);
        changes_.path = {model::PathRewrite::Kind::whole, "", path_of(rewrite.to)};
        return;
      case Kind::prefix:
        return take_prefix(rewrite);
      case Kind::like:
        return take_like(rewrite);
    }
  }

  void take_host(const ast::Rewrite& rewrite) {
    const auto wrong = check_host(to_lower(rewrite.to.value));
    const bool too_long = rewrite.to.value.size() > longest_host;
    if (wrong || too_long) {
      fail(kinds::host_never_matches(rewrite.to.span, rewrite.to.value, wrong ? wrong->why : "it is longer than 253 bytes"));
    }
    changes_.host = rewrite.to.value;
  }

  std::string path_of(const ast::String& path) {
    if (const auto wrong = check_path(path.value, Part::whole, scope_.model_service().paths)) {
      auto& diagnostic = fail(kinds::bad_rewrite(path.span, path.value, wrong->why));
      if (!wrong->spelling.empty()) diagnostic.with_help("write `" + wrong->spelling + "`");
    }
    return normalise_path(path.value);
  }

  /// Nobody means these bytes.
  void refuse_pattern(const ast::String& path) {
    if (path.value.find("/{") == std::string::npos && !path.value.ends_with("/**")) return;
    fail(kinds::bad_rewrite(path.span, path.value, "names and `/**` stand in patterns")).with_help("write `rewrite path like \"…\" to \"…\"`");
  }

  /// Whole segments: where they end stands a slash in any case.
  std::string segments_of(const ast::String& path) {
    std::string text = path_of(path);
    if (text.size() > 1 && text.ends_with('/')) {
      text.pop_back();
      fail(kinds::bad_rewrite(path.span, path.value, "it stands for whole segments, and is joined with one slash anyway"))
          .with_help("write `" + text + "`");
    }
    return text;
  }

  void take_prefix(const ast::Rewrite& rewrite) {
    refuse_pattern(rewrite.to);
    refuse_pattern(rewrite.from);
    changes_.path = {model::PathRewrite::Kind::prefix, segments_of(rewrite.from), segments_of(rewrite.to)};
    const std::string& from = changes_.path->from;
    if (!right_ || from == "/" || is_implied([&](const auto& when) { return implies_under(when, from); })) return;
    fail(kinds::rewrite_not_implied(rewrite.from.span, "under", rewrite.from.value))
        .with_help("let the rule say so: `when path under \"" + rewrite.from.value + "\"" + rest());
  }

  template <typename Implies>
  [[nodiscard]] bool is_implied(Implies&& implies) const {
    return when_.wrong || (when_.when && implies(*when_.when));
  }

  [[nodiscard]] const char* rest() const { return when_.when ? " and …`" : "`"; }

  void take_like(const ast::Rewrite& rewrite) {
    for (const ast::String* pattern : {&rewrite.from, &rewrite.to}) {
      if (const auto wrong = check_like(pattern->value)) {
        auto& diagnostic = fail(kinds::bad_like(pattern->span, pattern->value, wrong->why));
        if (!wrong->spelling.empty()) diagnostic.with_help("write `" + wrong->spelling + "`");
      } else {
        path_of(*pattern);
      }
    }
    if (!right_) return;
    changes_.path = {model::PathRewrite::Kind::like, normalise_path(rewrite.from.value), normalise_path(rewrite.to.value)};
    check_names(rewrite);
    if (!right_ || changes_.path->from == "/**" || is_implied([&](const auto& when) { return implies_like(when, changes_.path->from); })) return;
    fail(kinds::rewrite_not_implied(rewrite.from.span, "like", rewrite.from.value))
        .with_help("let the rule say so: `when path like \"" + rewrite.from.value + "\"" + rest());
  }

  /// Each name once on either side, and the rest on both or on none: nothing of the path is lost.
  void check_names(const ast::Rewrite& rewrite) {
    const std::vector<std::string> from = names_of(rewrite.from.value);
    const std::vector<std::string> to = names_of(rewrite.to.value);
    for (const auto& [names, text] : {std::pair(&from, &rewrite.from), std::pair(&to, &rewrite.to)}) {
      for (const std::string& name : *names) {
        if (std::count(names->begin(), names->end(), name) == 1) continue;
        fail(kinds::bad_rewrite(text->span, text->value, "it has `{" + name + "}` twice"));
        return;
      }
    }
    for (const std::string& name : to) {
      if (std::count(from.begin(), from.end(), name) == 0)
        fail(kinds::bad_rewrite(rewrite.to.span, rewrite.to.value, "nothing is called `{" + name + "}`"))
            .with_label(rewrite.from.span, "the names are given here");
    }
    for (const std::string& name : from) {
      if (std::count(to.begin(), to.end(), name) == 0)
        fail(kinds::bad_rewrite(rewrite.to.span, rewrite.to.value, "`{" + name + "}` gets lost"))
            .with_label(rewrite.from.span, "it is named here");
    }
    const bool rest_from = rewrite.from.value.ends_with("/**");
    if (rest_from != rewrite.to.value.ends_with("/**"))
      fail(kinds::bad_rewrite(rewrite.to.span, rewrite.to.value, rest_from ? "the rest, `/**`, gets lost" : "there is no rest, `/**`"))
          .with_label(rewrite.from.span, "this is what it is made of");
  }

  void take(const ast::HeaderChange& change) {
    using Value = ast::HeaderChange::Value;
    static constexpr std::array names = {"host",       "content-length", "transfer-encoding", "connection", "keep-alive",
                                         "proxy-connection", "te",        "trailer",           "upgrade",
                                         "expect",     "http2-settings", "x-heddle-rule"};
    model::HeaderChange result;
    result.action = static_cast<model::HeaderChange::Action>(change.action);
    result.name = to_lower(change.name.value);
    result.value = static_cast<model::HeaderChange::Value>(change.value);
    if (!is_token(change.name.value)) {
      fail(kinds::bad_header_name(change.name.span, change.name.value));
    } else if (std::find(names.begin(), names.end(), result.name) != names.end()) {
      auto& diagnostic = fail(kinds::bad_change(change.name.span, change.name.value, "it says how the message is sent, or where to"));
      if (result.name == "host") diagnostic.with_help("write `rewrite host to \"…\"`");
    }
    if (change.text) {
      result.text = change.text->value;
      if (const auto wrong = check_header_value(result.text, Part::whole))
        fail(kinds::header_never_matches(change.text->span, result.text, wrong->why));
    }
    if (change.value == Value::claim) {
      auto path = check_claim_path(scope_.analysis.sink, change.claim);
      right_ = right_ && path;
      result.claim = path.value_or(std::vector<std::string>());
    }
    (change.response ? changes_.response : changes_.request).push_back(std::move(result));
    static constexpr const char* actions[] = {"set", "add", "remove"};
    scope_.analysis.not_built(std::string(actions[static_cast<int>(change.action)]) + (change.response ? " response header" : " header"), change.span);
  }

  RuleScope& scope_;
  RuleCondition when_;
  model::Changes& changes_;
  bool right_ = true;
};

}  // namespace

bool check_changes(RuleScope& scope, const ast::Options& options, const RuleCondition& when, model::Changes& changes) {
  return ChangesCheck(scope, when, changes).check(options);
}

std::optional<std::vector<std::string>> check_claim_path(diagnostics::Sink& sink, const std::vector<ast::String>& written) {
  constexpr std::size_t deepest = 8;
  std::vector<std::string> path;
  for (const ast::String& name : written) path.push_back(name.value);
  if (path.size() <= deepest && std::find(path.begin(), path.end(), "") == path.end()) return path;
  const source::Span span{written.front().span.file, written.front().span.begin, written.back().span.end};
  sink.report(kinds::bad_name(span, "claim", path.size() > deepest ? "…" : ""))
      .with_help(path.size() > deepest ? "claims are nested at most 8 deep" : "a claim has a name");
  return std::nullopt;
}

}  // namespace heddle::sema
