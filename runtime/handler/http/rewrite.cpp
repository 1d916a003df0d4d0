#include "runtime/handler/http/rewrite.h"

#include <array>
#include <cstring>
#include <optional>

#include "runtime/handler/http/characters.h"

namespace heddle::http {

namespace {

/// Names that Connection lists, beyond those that are dropped anyway.
class NamedFields {
 public:
  void note(std::string_view connection) {
    for_each_element(connection, [this](std::string_view element) {
      const bool option = equal_ignoring_case(element, "close") || equal_ignoring_case(element, "keep-alive");
      if (!option && count_ < names_.size()) names_[count_++] = element;
    });
  }
  [[nodiscard]] bool has(std::string_view name) const {
    for (std::size_t i = 0; i < count_; ++i) {
      if (equal_ignoring_case(names_[i], name)) return true;
    }
    return false;
  }

 private:
  std::array<std::string_view, connection_elements_max> names_;
  std::size_t count_ = 0;
};

class Writer {
 public:
  explicit Writer(char* at) : begin_(at), at_(at) {}
  void append(std::string_view text) { at_ += text.copy(at_, text.size()); }
  [[nodiscard]] std::size_t size() const { return static_cast<std::size_t>(at_ - begin_); }

 private:
  char* begin_;
  char* at_;
};

}  // namespace

std::uint32_t make_origin_form(char* head, const Request& request) {
  if (request.prefix_end == 0) return 0;
  std::uint32_t cut = request.prefix_end - request.prefix_begin;
  if (head[request.prefix_end] != '/') {
    --cut;
    head[request.prefix_end - 1] = '/';
  }
  std::memmove(head + cut, head, request.prefix_begin);
  return cut;
}

char* rewrite_head(char* head, std::uint32_t length, FieldSet drop, std::string_view add) {
  // The lines are taken from a copy, because they are written over each other.
  std::array<char, HD_HEAD_MAX> copied;
  std::memcpy(copied.data(), head, length);
  const std::string_view copy(copied.data(), length);
  const std::size_t first_field = copy.find('\n') + 1;

  NamedFields named;
  FieldCursor names(copy, first_field);
  while (const std::optional<Field> field = names.next()) {
    if (field->kind == FieldKind::connection) named.note(field->value);
  }
  // Nothing longer than the old head and what is added is written, and the latter has room in front.
  char* const front = head - add.size();
  Writer out(front);
  out.append(copy.substr(0, first_field));
  FieldCursor fields(copy, first_field);
  while (const std::optional<Field> field = fields.next()) {
    if (!drop.has(field->kind) && !named.has(field->name)) out.append(field->line);
  }
  out.append(add);
  out.append("\r\n");
  char* const begin = head + length - out.size();
  std::memmove(begin, front, out.size());
  return begin;
}

}  // namespace heddle::http
