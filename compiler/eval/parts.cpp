#include "compiler/eval/parts.h"

#include "compiler/eval/bytes.h"

namespace heddle::eval {
namespace {

struct Pair {
  std::string_view name;
  std::string_view value;
};

std::vector<Pair> pairs_of(std::string_view text, char separator) {
  std::vector<Pair> pairs;
  while (true) {
    const std::size_t end = text.find(separator);
    const std::string_view piece = text.substr(0, end);
    const std::size_t equals = piece.find('=');
    const bool bare = equals == std::string_view::npos;
    pairs.push_back({piece.substr(0, equals), bare ? std::string_view() : piece.substr(equals + 1)});
    if (end == std::string_view::npos) return pairs;
    text.remove_prefix(end + 1);
  }
}

}  // namespace

std::vector<std::string> query_values(const Head& head, std::string_view name) {
  std::vector<std::string> values;
  if (!head.query) return values;
  for (const Pair& pair : pairs_of(*head.query, '&')) {
    if (pair.name == name) values.emplace_back(pair.value);
  }
  return values;
}

std::vector<std::string> cookie_values(const Head& head, std::string_view name) {
  std::string line;
  for (const std::string_view each : values_of(head, "cookie")) line += (line.empty() ? "" : "; ") + std::string(each);
  std::vector<std::string> values;
  for (const Pair& pair : pairs_of(line, ';')) {
    if (trim(pair.name) == name) values.emplace_back(trim(pair.value));
  }
  return values;
}

}  // namespace heddle::eval
