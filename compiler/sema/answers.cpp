#include "compiler/sema/answers.h"

#include <algorithm>
#include <string_view>

#include "compiler/diagnostics/kinds.h"
#include "compiler/sema/implied.h"
#include "compiler/sema/literals.h"
#include "compiler/sema/numbers.h"

namespace heddle::sema {

namespace kinds = diagnostics::kinds;

namespace {

constexpr std::size_t longest_host = 253;
constexpr std::size_t longest_type = 255;

bool has_no_body(std::uint32_t status) {
  return status == 204 || status == 205 || status == 304;
}

/// `type/subtype`, and parameters as they come: what counts is that it is one line of a head.
const char* why_no_type(const std::string& type) {
  const std::string essence = type.substr(0, std::min(type.find(';'), type.find(' ')));
  const std::size_t slash = essence.find('/');
  if (slash == std::string::npos || !is_token(essence.substr(0, slash)) || !is_token(essence.substr(slash + 1)))
    return "a media type is `type/subtype`, as `application/json`";
  const auto is_printable = [](char c) { return c >= 0x20 && c < 0x7F; };
  if (!std::all_of(type.begin(), type.end(), is_printable)) return "it has a byte that is no printable ASCII";
  const std::size_t end = type.find_last_not_of(' ') + 1;
  const bool rest_is_parameters = essence.size() == end || type.find_first_not_of(' ', essence.size()) == type.find(';');
  if (end != type.size() || type.back() == ';' || !rest_is_parameters)
    return "behind `type/subtype` come parameters only, as `; charset=utf-8`";
  return type.size() > longest_type ? "it is longer than 255 bytes" : nullptr;
}

/// One redirect: its operands, and that something comes of them.
class RedirectCheck {
 public:
  RedirectCheck(RuleScope& scope, const ast::Respond& written)
      : scope_(scope), written_(written), redirect_(*written.redirect) {}

  std::optional<model::Respond> check() {
    check_status();
    take_scheme();
    take_host();
    take_port();
    take_path();
    take_prefix();
    if (right_) check_change();
    return right_ ? std::optional(result_) : std::nullopt;
  }

 private:
  void refuse(const char* what, const ast::String& operand, const std::string& why, const std::string& help = "") {
    auto& diagnostic = scope_.analysis.report(kinds::bad_location(operand.span, what, operand.value, why));
    if (!help.empty()) diagnostic.with_help(help);
    right_ = false;
  }

  template <typename Item>
  const Item* only(const std::vector<Item>& items, const char* what) {
    for (std::size_t i = 1; i < items.size(); ++i) {
      scope_.analysis.report(kinds::duplicate_item(items[i].span, what)).with_label(items[0].span, "the first one");
      right_ = false;
    }
    return items.empty() ? nullptr : &items.front();
  }

  void check_status() {
    static constexpr std::string_view statuses[] = {"301", "302", "303", "307", "308"};
    const std::string& status = written_.status.text;
    if (std::find(std::begin(statuses), std::end(statuses), status) != std::end(statuses)) {
      result_.status = static_cast<std::uint16_t>(std::stoi(status));
      return;
    }
    scope_.analysis.report(kinds::bad_redirect(written_.status.span, status, "no client follows an answer with this status"))
        .with_help("301 and 308 are for good, 302, 303 and 307 for now; 307 and 308 keep method and body");
    right_ = false;
  }

  void take_scheme() {
    const ast::String* scheme = only(redirect_.schemes, "scheme");
    if (scheme == nullptr) return;
    if (scheme->value != "http" && scheme->value != "https")
      return refuse("scheme", *scheme, "it is `http` or `https`");
    change().https = scheme->value == "https";
  }

  void take_host() {
    const ast::String* host = only(redirect_.hosts, "host");
    if (host == nullptr) return;
    change().host = host->value;
    model::IpAddress ip;
    const bool brackets = host->value.starts_with("[");
    if (const auto wrong = check_host(host->value)) {
      const std::size_t colon = wrong->spelling.size();
      const bool port = !wrong->spelling.empty() && host->value.size() > colon && host->value[colon] == ':';
      if (host->value.empty()) return refuse("host", *host, "it is empty");
      if (port) {
        return refuse("host", *host, "its port is said apart",
                      "write `host \"" + wrong->spelling + "\" port " + host->value.substr(colon + 1) + "`");
      }
      return refuse("host", *host, wrong->why);
    }
    if (brackets && !model::parse_ip(host->value.substr(1, host->value.size() - 2), ip))
      return refuse("host", *host, "in brackets stands an IPv6 address");
    if (host->value.size() > longest_host) refuse("host", *host, "it is longer than 253 bytes");
  }

  void take_port() {
    const ast::Number* port = only(redirect_.ports, "port");
    if (port == nullptr) return;
    const auto number = number_in(scope_.analysis.sink, *port, "a port", 1, 65535);
    right_ = right_ && number;
    change().port = static_cast<std::uint16_t>(number.value_or(0));
  }

  std::string path_of(const char* what, const ast::String& path) {
    const auto wrong = heddle::sema::check_path(path.value, Part::whole, scope_.model_service().paths);
    if (wrong) refuse(what, path, wrong->why, wrong->spelling.empty() ? "" : "write `" + wrong->spelling + "`");
    return path.value;
  }

  void take_path() {
    const ast::String* path = only(redirect_.paths, "path");
    if (path == nullptr) return;
    change().path = path_of("path", *path);
    if (redirect_.prefixes.empty()) return;
    scope_.analysis.report(kinds::path_and_prefix(redirect_.prefixes.front().span))
        .with_label(path->span, "this is the whole path already");
    right_ = false;
  }

  /// Whole segments: where they end stands a slash in any case.
  std::string segments_of(const ast::String& path) {
    std::string text = path_of("prefix", path);
    if (text.size() < 2 || !text.ends_with('/') || !right_) return text;
    text.pop_back();
    refuse("prefix", path, "it stands for whole segments, and is joined with one slash anyway", "write `" + text + "`");
    return text;
  }

  void take_prefix() {
    const ast::PrefixChange* prefix = only(redirect_.prefixes, "prefix");
    if (prefix == nullptr) return;
    change().prefix = normalise_path(segments_of(prefix->from));
    if (right_) change().path = segments_of(prefix->to);
  }

  /// `http` is what requests come with.
  void check_change() {
    const model::Redirect& now = change();
    const bool moves = now.prefix.empty() ? !now.path.empty() : normalise_path(now.path) != now.prefix;
    if (now.https || !now.host.empty() || now.port != 0 || moves) return;
    scope_.analysis.report(kinds::redirect_to_itself(written_.span))
        .with_help("say what is different there: `scheme \"https\"`, `host`, `port`, `path` or `prefix`");
    right_ = false;
  }

  model::Redirect& change() {
    if (!result_.redirect) result_.redirect.emplace();
    return *result_.redirect;
  }

  RuleScope& scope_;
  const ast::Respond& written_;
  const ast::Redirect& redirect_;
  model::Respond result_;
  bool right_ = true;
};

std::optional<model::Respond> check_respond(RuleScope& scope, const ast::Respond& written) {
  model::Respond result;
  const auto status = number_in(scope.analysis.sink, written.status, "a status", 200, 599);
  if (!status) return std::nullopt;
  const bool has_text = written.body && !written.body->value.empty();
  if (has_no_body(*status) && has_text) {
    scope.analysis.report(
        kinds::bad_status(written.body->span, written.status.text, "a response with this status has no body"));
    return std::nullopt;
  }
  if (written.type) {
    const char* why = has_text ? why_no_type(written.type->value) : "there is no text of that type";
    if (why != nullptr) {
      scope.analysis.report(kinds::bad_type(written.type->span, written.type->value, why));
      return std::nullopt;
    }
    result.type = written.type->value;
  }
  result.status = static_cast<std::uint16_t>(*status);
  if (written.body) result.body = written.body->value;
  return result;
}

}  // namespace

std::optional<model::Respond> check_answer(RuleScope& scope, const ast::Respond& written) {
  if (scope.is_tcp_like()) {
    scope.report_not_on_tcp(written.span, written.redirect ? "redirect" : "respond");
    return std::nullopt;
  }
  if (scope.model_service().protocol == model::Protocol::grpc) {
    scope.analysis.report(kinds::not_on_grpc(written.span, written.redirect ? "redirect" : "respond", scope.model_service().name))
        .with_help("whoever calls it knows messages of its own only; `access` refuses with PERMISSION_DENIED");
    return std::nullopt;
  }
  return written.redirect ? RedirectCheck(scope, written).check() : check_respond(scope, written);
}

void check_prefixes(RuleScope& scope, const ast::Target& target, const std::optional<model::Condition>& when) {
  const auto check = [&](const ast::Respond& respond) {
    if (!respond.redirect) return;
    for (const ast::PrefixChange& prefix : respond.redirect->prefixes) {
      const std::string from = normalise_path(prefix.from.value);
      if (from == "/" || (when && implies_under(*when, from))) continue;
      scope.analysis.report(kinds::prefix_not_implied(prefix.from.span, prefix.from.value))
          .with_help("let the rule say so: `when path under \"" + prefix.from.value + "\"" +
                     (when ? " and …`" : "`"));
    }
  };
  check(target.respond);
  for (const ast::SplitPart& part : target.parts) {
    if (part.respond) check(*part.respond);
  }
}

}  // namespace heddle::sema
