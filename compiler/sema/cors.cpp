#include "compiler/sema/cors.h"

#include <algorithm>
#include <memory>
#include <set>
#include <utility>

#include "compiler/diagnostics/kinds.h"
#include "compiler/sema/literals.h"
#include "compiler/sema/numbers.h"
#include "compiler/sema/regex.h"

namespace heddle::sema {

namespace kinds = diagnostics::kinds;

namespace {

class CorsCheck {
 public:
  CorsCheck(RuleScope& scope, const ast::Cors& written) : scope_(scope), written_(written) {}

  std::optional<model::Cors> check() {
    if (written_.origins.empty()) fail(kinds::bad_cors(written_.span, "cors", "a rule", "it does not say its `origins`"));
    for (const ast::CorsItem& item : items_of(written_.origins, "origins")) take_origin(item);
    for (const ast::CorsItem& item : items_of(written_.methods, "methods")) take_method(item);
    for (const ast::CorsItem& item : items_of(written_.headers, "headers")) take_header(item, "headers", cors_.headers);
    for (const ast::CorsItem& item : items_of(written_.expose, "expose")) take_header(item, "expose", cors_.expose);
    const auto* credentials = only(scope_.analysis, written_.credentials, "credentials", [](source::Span span) { return span; });
    cors_.credentials = credentials != nullptr;
    if (cors_.credentials && cors_.any_origin)
      fail(kinds::bad_cors(*credentials, "credentials", "cors", "no browser takes them with `origins [\"*\"]`"))
          .with_help("name the origins that may ask with the user's cookies");
    for (const ast::CorsList& list : written_.headers) {
      for (const ast::CorsItem& item : list.items) {
        if (cors_.credentials && item.text.value == "*")
          fail(kinds::bad_cors(item.text.span, "*", "headers", "with `credentials` browsers take it for a header of that name"));
      }
    }
    const auto* max_age = only(scope_.analysis, written_.max_ages, "max_age", [](const ast::Number& n) { return n.span; });
    if (max_age != nullptr) take_max_age(*max_age);
    scope_.analysis.not_built("cors", written_.span);
    return right_ ? std::optional(std::move(cors_)) : std::nullopt;
  }

 private:
  diagnostics::Diagnostic& fail(diagnostics::Diagnostic diagnostic) {
    right_ = false;
    return scope_.analysis.report(std::move(diagnostic));
  }

  const std::vector<ast::CorsItem>& items_of(const std::vector<ast::CorsList>& lists, const char* what) {
    static const std::vector<ast::CorsItem> none;
    const auto* list = only(scope_.analysis, lists, what, [](const ast::CorsList& l) { return l.span; });
    return list == nullptr ? none : list->items;
  }

  /// As browsers write it: `scheme://host[:port]`, without a default port, without a path.
  static const char* why_no_origin(const std::string& text) {
    const std::size_t host = text.find("://");
    if (host == std::string::npos) return "an origin is `https://shop.example`, or `*`";
    if (text != to_lower(text)) return "browsers write origins in lower case";
    if (text.find('/', host + 3) != std::string::npos) return "an origin has no path, and no slash at its end";
    const std::size_t colon = text.rfind(':');
    const bool has_port = colon > host && text.find(']', colon) == std::string::npos;
    const std::string name = text.substr(host + 3, has_port ? colon - host - 3 : std::string::npos);
    if (check_host(name)) return "its host is none";
    const std::string scheme = text.substr(0, host);
    const std::string port = has_port ? text.substr(colon + 1) : "";
    const auto is_letter = [](char c) { return c >= 'a' && c <= 'z'; };
    const auto is_rest = [&](char c) { return is_letter(c) || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.'; };
    if (scheme.empty() || !is_letter(scheme.front()) || !std::all_of(scheme.begin(), scheme.end(), is_rest)) return "its scheme is none";
    const bool digits = port.find_first_not_of("0123456789") == std::string::npos && port.size() <= 5 && !port.starts_with("0");
    if (has_port && (port.empty() || !digits || std::stoul(port) > 65535)) return "its port is none";
    const bool is_default = (scheme == "http" && port == "80") || (scheme == "https" && port == "443");
    return is_default ? "browsers leave the default port out" : nullptr;
  }

  void take_origin(const ast::CorsItem& item) {
    const ast::String& text = item.text;
    if (item.kind == ast::CorsItem::Kind::word) {
      fail(kinds::bad_cors(text.span, text.value, "origins", "an origin is a string or a regular expression"));
    } else if (item.kind == ast::CorsItem::Kind::regex) {
      take_pattern(text);
    } else if (text.value == "*") {
      cors_.any_origin = true;
    } else if (const char* why = why_no_origin(text.value)) {
      fail(kinds::bad_cors(text.span, text.value, "origins", why));
    } else {
      const bool again = std::find(cors_.origins.begin(), cors_.origins.end(), text.value) != cors_.origins.end();
      if (again) fail(kinds::duplicate_item(text.span, text.value));
      cors_.origins.push_back(text.value);
    }
  }

  void take_pattern(const ast::String& text) {
    ReadRegex read = read_regex(text.value, RegexText::bytes);
    if (read.error) {
      fail(kinds::bad_regex(text.span, read.error->why));
    } else if (size_of(read.regex) > max_regex_size) {
      fail(kinds::regex_too_large(text.span, max_regex_size));
    } else {
      cors_.patterns.push_back(std::make_shared<const model::Regex>(std::move(read.regex)));
      cors_.pattern_texts.push_back(text.value);
    }
  }

  void take_method(const ast::CorsItem& item) {
    if (item.kind != ast::CorsItem::Kind::regex && is_method(item.text.value)) {
      cors_.methods.push_back(item.text.value);
      return;
    }
    fail(kinds::bad_method(item.text.span, item.text.value)).with_help("a method has upper-case letters and `-`");
  }

  void take_header(const ast::CorsItem& item, const char* list, std::vector<std::string>& names) {
    if (item.kind != ast::CorsItem::Kind::regex && is_token(item.text.value)) {
      names.push_back(to_lower(item.text.value));
      return;
    }
    fail(kinds::bad_cors(item.text.span, item.text.value, list, "it is no header name"));
  }

  void take_max_age(const ast::Number& written) {
    const auto time = milliseconds(scope_.analysis.sink, written);
    if (time && *time % 1000 == 0) {
      cors_.max_age_s = *time / 1000;
    } else if (time) {
      fail(kinds::bad_time(written.span, written.text, "browsers count whole seconds"));
    } else {
      right_ = false;
    }
  }

  RuleScope& scope_;
  const ast::Cors& written_;
  model::Cors cors_;
  bool right_ = true;
};

}  // namespace

std::optional<model::Cors> check_cors(RuleScope& scope, const ast::Cors& written) {
  return CorsCheck(scope, written).check();
}

}  // namespace heddle::sema
