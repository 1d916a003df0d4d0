#include "tests/differential/example.h"

#include <algorithm>
#include <vector>

#include "tests/differential/vocabulary.h"

namespace heddle::differential {
namespace {

using model::Attribute;
using model::Operator;
using model::Regex;

/// Of a set a letter or digit if there is one: what stands anywhere without changing the form of a request.
char example_byte(const model::Bytes& bytes, Random& random) {
  std::vector<char> plain;
  std::vector<char> all;
  for (unsigned c = 0x21; c < 256; ++c) {
    if (!bytes[c]) continue;
    const bool letter = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    (letter ? plain : all).push_back(static_cast<char>(c));
  }
  if (!plain.empty()) return random.pick(plain);
  return all.empty() ? ' ' : random.pick(all);
}

std::string example_of(const Regex& regex, Random& random) {
  if (regex.kind == Regex::Kind::bytes) return std::string(1, example_byte(regex.bytes, random));
  if (regex.kind == Regex::Kind::choice) return example_of(random.pick(regex.children), random);
  std::size_t times = 1;
  if (regex.kind == Regex::Kind::repeat)
    times = random.between(regex.least, std::min(regex.most.value_or(regex.least + 3), regex.least + 3));
  std::string text;
  for (std::size_t time = 0; time < times; ++time) {
    for (const Regex& child : regex.children) text += example_of(child, random);
  }
  return text;
}

std::string example_of_like(const std::string& pattern, Random& random) {
  std::string text;
  for (std::size_t begin = 1; begin <= pattern.size();) {
    const std::size_t end = std::min(pattern.find('/', begin), pattern.size());
    const std::string segment = pattern.substr(begin, end - begin);
    begin = end + 1;
    if (segment != "**") {
      text += "/" + (segment.starts_with('{') ? random.pick(segments) : segment);
    } else {
      for (std::size_t more = random.below(3); more > 0; --more) text += "/" + random.pick(segments);
      if (text.empty() || random.chance(20)) text += "/";
    }
  }
  return text;
}

std::string in_any_case(std::string text, Random& random) {
  for (char& byte : text) {
    const bool letter = ('a' <= byte && byte <= 'z') || ('A' <= byte && byte <= 'Z');
    if (letter && random.chance(40)) byte = static_cast<char>(byte ^ 0x20);
  }
  return text;
}

/// What may stand before or behind a literal: nothing, or some of the bytes of the values.
std::string around(const model::Test& test, Random& random) {
  if (random.chance(30)) return "";
  return random.chance(50) ? "x" : any_value(test.attribute, random);
}

std::string exact_example(const model::Test& test, Random& random) {
  const bool path = test.attribute == Attribute::path;
  switch (test.op) {
    case Operator::under:
      if (!path) return random.chance(50) ? test.literal : random.pick(std::vector<std::string>{"a.", "x.y-z."}) + test.literal;
      if (random.chance(40)) return test.literal;
      return test.literal + (test.literal.ends_with('/') ? "" : "/") +
             (random.chance(20) ? "" : random.pick(segments));
    case Operator::starts:
      if (path) return random.chance(40) ? test.literal : test.literal + "x" + random.pick(segments);
      return test.literal + around(test, random);
    case Operator::ends:
      if (path && !test.literal.starts_with('/')) return "/" + (random.chance(50) ? random.pick(segments) + "/" : "") + test.literal;
      if (path) return random.chance(50) ? test.literal : "/" + random.pick(segments) + test.literal;
      return around(test, random) + test.literal;
    case Operator::contains:
      return around(test, random) + test.literal + around(test, random);
    case Operator::has:
      return std::string(random.chance(50) ? "x, a b," : "") + (random.chance(30) ? " \t" : "") + test.literal +
             (random.chance(30) ? " " : "") + (random.chance(50) ? ",," : random.chance(50) ? ",x" : "");
    case Operator::like:
      return example_of_like(test.literal, random);
    case Operator::matches:
      return example_of(*test.regex, random);
    case Operator::present:
    case Operator::absent:
      return random.chance(20) ? "" : any_value(test.attribute, random);
    case Operator::is:
      break;
  }
  return test.literal;
}

}  // namespace

std::string any_value(Attribute attribute, Random& random) {
  if (attribute == Attribute::path) return "/" + random.pick(segments);
  if (attribute == Attribute::host) return random.pick(hosts);
  if (attribute == Attribute::method) return random.pick(methods);
  if (attribute == Attribute::sni) return random.pick(server_names);
  if (attribute == Attribute::query) return random.pick(query_values);
  return random.pick(attribute == Attribute::cookie ? cookie_values : header_values);
}

std::string example(const model::Test& test, Random& random) {
  const std::string text = exact_example(test, random);
  const bool any_case = test.ignoring_case || test.attribute == Attribute::sni;
  return any_case ? in_any_case(text, random) : text;
}

}  // namespace heddle::differential
