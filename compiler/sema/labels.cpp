#include "compiler/sema/labels.h"

#include <algorithm>

#include "compiler/diagnostics/kinds.h"

namespace heddle::sema {

namespace kinds = diagnostics::kinds;

namespace {

constexpr std::size_t longest_label = 64;

bool is_label_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
         c == '.';
}

const char* wrong_in_label(const std::string& label) {
  if (label.empty()) return "it is empty";
  if (label.size() > longest_label) return "it is longer than 64 bytes";
  if (!std::all_of(label.begin(), label.end(), is_label_byte))
    return "a label has letters, digits, `-`, `_` and `.`";
  if (std::all_of(label.begin(), label.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    return "rules without label are numbered";
  }
  if (label == "otherwise" || label == "default" || label == "audit") return "it is the built-in id of another rule";
  return nullptr;
}

}  // namespace

std::string Labels::id(const std::vector<ast::String>& written, std::size_t ordinal) {
  const auto* label = only(analysis_, written, "label", [](const ast::String& s) { return s.span; });
  if (label == nullptr) return id_of(std::to_string(ordinal));
  const auto [first, is_new] = seen_.try_emplace(label->value, label->span);
  if (const char* wrong = wrong_in_label(label->value)) {
    analysis_.report(kinds::bad_label(label->span, label->value, wrong));
  } else if (!is_new) {
    analysis_.report(kinds::duplicate_name(label->span, "rule", label->value))
        .with_label(first->second, "the first one");
  }
  return id_of(label->value);
}

std::string Labels::id_of(const std::string& label) const {
  return service_.empty() ? kind_ + "/" + label : model::rule_id(kind_, service_, label);
}

std::string Labels::otherwise_id(const std::vector<ast::String>& written) {
  for (const ast::String& label : written) {
    analysis_.report(
        kinds::bad_label(label.span, label.value, "the last rule of a route is always called `otherwise`"));
  }
  return model::rule_id(kind_, service_, "otherwise");
}

}  // namespace heddle::sema
