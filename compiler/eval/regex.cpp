#include "compiler/eval/regex.h"

#include <vector>

namespace heddle::eval {
namespace {

using model::Regex;

/// Places in the text, from before its first byte to behind its last, that have been reached.
using Places = std::vector<bool>;

bool add(Places& to, const Places& more) {
  bool grew = false;
  for (std::size_t place = 0; place < to.size(); ++place) {
    if (!more[place] || to[place]) continue;
    to[place] = true;
    grew = true;
  }
  return grew;
}

/// Where the expression can end, beginning at any of the places.
Places pass(const Regex& regex, std::string_view text, const Places& from);

Places pass_bytes(const Regex& regex, std::string_view text, const Places& from) {
  Places to(from.size());
  for (std::size_t place = 0; place < text.size(); ++place) {
    if (from[place] && regex.bytes[static_cast<unsigned char>(text[place])]) to[place + 1] = true;
  }
  return to;
}

Places pass_repeat(const Regex& regex, std::string_view text, const Places& from) {
  const Regex& child = regex.children.front();
  Places at = from;
  for (std::uint32_t times = 0; times < regex.least; ++times) at = pass(child, text, at);
  Places reached = at;
  for (std::uint32_t times = regex.least; !regex.most || times < *regex.most; ++times) {
    at = pass(child, text, at);
    if (!add(reached, at)) break;
  }
  return reached;
}

Places pass(const Regex& regex, std::string_view text, const Places& from) {
  if (regex.kind == Regex::Kind::bytes) return pass_bytes(regex, text, from);
  if (regex.kind == Regex::Kind::repeat) return pass_repeat(regex, text, from);
  if (regex.kind == Regex::Kind::sequence) {
    Places at = from;
    for (const Regex& child : regex.children) at = pass(child, text, at);
    return at;
  }
  Places reached(from.size());
  for (const Regex& child : regex.children) add(reached, pass(child, text, from));
  return reached;
}

}  // namespace

bool matches(const Regex& regex, std::string_view text) {
  Places begin(text.size() + 1);
  begin.front() = true;
  return pass(regex, text, begin).back();
}

}  // namespace heddle::eval
