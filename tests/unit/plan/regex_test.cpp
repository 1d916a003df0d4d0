// Regular expressions three times: as the evaluator reads them, as the compiled automaton does, and as a library of
// another hand does.

#include <gtest/gtest.h>

#include <random>
#include <regex>
#include <string>
#include <vector>

#include "compiler/eval/regex.h"
#include "compiler/plan/automaton.h"
#include "compiler/sema/regex.h"

namespace heddle::plan {
namespace {

using sema::RegexText;

bool by_automaton(const Classifier& classifier, std::string_view text) {
  std::uint32_t state = classifier.automaton.start;
  for (const char c : text) {
    const Automaton::State& at = classifier.automaton.states.at(state);
    state = at.next;
    for (const Automaton::Edge& edge : at.edges) {
      if (edge.byte == static_cast<std::uint8_t>(c)) state = edge.next;
    }
  }
  return !classifier.sets.at(classifier.automaton.states.at(state).accept).empty();
}

/// Both engines, which have to agree.
bool matches(const std::string& expression, std::string_view text, RegexText of = RegexText::bytes) {
  const auto read = sema::read_regex(expression, of);
  EXPECT_FALSE(read.error) << expression << ": " << (read.error ? read.error->why : "");
  if (read.error) return false;
  Pattern pattern;
  pattern.graph = graph_of(read.regex);
  const bool found = by_automaton(classify({pattern}), text);
  EXPECT_EQ(eval::matches(read.regex, text), found) << expression << " on " << text;
  return found;
}

std::string random_expression(std::mt19937& random, int depth) {
  const auto atom = [&]() -> std::string {
    static const std::vector<std::string> atoms = {"a", "b", "c", ".", "[ab]", "[^a]", "[b-c]", "\\.", "\\d", "\\W", "[^\\d]"};
    if (depth > 0 && random() % 4 == 0) return "(" + random_expression(random, depth - 1) + ")";
    return atoms[random() % atoms.size()];
  };
  static const std::vector<std::string> repeats = {"*", "+", "?", "{2}", "{1,2}", "{2,}", "{3,3}"};
  std::string text;
  for (std::size_t n = random() % 4; n > 0; --n) {
    text += atom();
    if (random() % 3 == 0) text += repeats[random() % repeats.size()];
  }
  return depth > 0 && random() % 3 == 0 ? text + "|" + random_expression(random, depth - 1) : text;
}

TEST(Regex, AgreesWithAnotherLibrary) {
  std::mt19937 random(5);
  std::size_t matched = 0;
  std::size_t tried = 0;
  for (int round = 0; round < 1500; ++round) {
    const std::string expression = random_expression(random, 2);
    const std::regex other(expression);
    const auto read = sema::read_regex(expression, RegexText::bytes);
    ASSERT_FALSE(read.error) << expression << ": " << read.error->why;
    Pattern pattern;
    pattern.graph = graph_of(read.regex);
    const Classifier classifier = classify({pattern});
    for (int i = 0; i < 40; ++i) {
      std::string text;
      for (std::size_t n = random() % 6; n > 0; --n) text += "abc.1"[random() % 5];
      const bool expected = std::regex_match(text, other);
      ASSERT_EQ(eval::matches(read.regex, text), expected) << expression << " on " << text;
      ASSERT_EQ(by_automaton(classifier, text), expected) << expression << " on " << text;
      matched += expected ? 1 : 0;
      ++tried;
    }
  }
  EXPECT_GT(matched * 20, tried);
  EXPECT_LT(matched * 2, tried);
}

TEST(Regex, Syntax) {
  EXPECT_TRUE(matches("", ""));
  EXPECT_FALSE(matches("", "a"));
  EXPECT_TRUE(matches("a|", ""));
  EXPECT_TRUE(matches("(|b)a", "ba"));
  EXPECT_TRUE(matches("\\/a\\/", "/a/"));
  EXPECT_TRUE(matches("\\x41\\x2f", "A/"));
  EXPECT_TRUE(matches("a\\{2\\}", "a{2}"));
  EXPECT_TRUE(matches("[\\]\\-a]+", "]-a"));
  EXPECT_TRUE(matches("[a-]+", "a-"));
  EXPECT_TRUE(matches("[-a]+", "a-"));
  EXPECT_TRUE(matches("[^^]", "a"));
  EXPECT_FALSE(matches("[^^]", "^"));
  EXPECT_TRUE(matches("[.|(]+", ".|("));
  EXPECT_FALSE(matches("[.]", "a"));
  EXPECT_TRUE(matches("\\w+\\s\\d", "a_9 1"));
  EXPECT_TRUE(matches("(ab){2}", "abab"));
  EXPECT_FALSE(matches("(ab){2}", "ababab"));
  EXPECT_TRUE(matches("(ab){2,}", "ababab"));
  EXPECT_TRUE(matches("a{0,2}", ""));
  EXPECT_TRUE(matches("(a*)*b", "aab"));
  EXPECT_TRUE(matches("(a?){3}", "aa"));
  EXPECT_TRUE(matches(".*", std::string("\x00\xff\n", 3)));
  EXPECT_TRUE(matches("ü*", "üü"));
  EXPECT_FALSE(matches("ü*", "ü\xbc"));
}

TEST(Regex, OfAHostHasNoCase) {
  EXPECT_TRUE(matches("A[b-c]\\.x", "ab.x", RegexText::host));
  EXPECT_TRUE(matches("A[b-c]\\.x", "aC.X", RegexText::host));
  EXPECT_FALSE(matches("[^a]", "A", RegexText::host));
  EXPECT_TRUE(matches("[^a]", "B", RegexText::host));
}

TEST(Regex, Errors) {
  struct Case {
    const char* text;
    std::size_t at;
  };
  const Case cases[] = {
      {"a(b", 1},     {"a)b", 1},    {"a[b", 1},     {"a[]b", 2},      {"^a", 0},     {"a$", 1},       {"*a", 0},
      {"a|*", 2},     {"(+)", 1},    {"a**", 1},     {"a*?", 2},       {"a+?", 2},    {"a{2}{3}", 1},  {"a{", 1},
      {"a{,2}", 1},   {"a{3,2}", 1}, {"a{0}", 1},    {"a{2000}", 1},   {"a{1,x}", 1}, {"a{99999999999}", 1},
      {"(?:a)", 0},   {"(?i)a", 0},  {"a\\", 1},     {"a\\b", 1},      {"(a)\\1", 3}, {"\\p", 0},      {"\\xg0", 0},
      {"[z-a]", 1},   {"[\\d-z]", 1}, {"[[:alpha:]]", 1}, {"[ä]", 1},  {"[a", 0},     {"[a-", 0},      {"a\\Z", 1},
  };
  for (const Case& each : cases) {
    const auto read = sema::read_regex(each.text, RegexText::bytes);
    ASSERT_TRUE(read.error) << each.text;
    EXPECT_EQ(read.error->at, each.at) << each.text << ": " << read.error->why;
    EXPECT_GE(read.error->length, 1u);
    EXPECT_FALSE(read.error->why.empty());
  }
  EXPECT_TRUE(sema::read_regex(std::string(100, '(') + std::string(100, ')'), RegexText::bytes).error);
}

/// Paths are compared with upper-case digits in their escapes.
TEST(Regex, EscapesOfAPath) {
  for (const char* text : {"%c3", "\\/%C3%a9", "%Cf", "(%c)"}) {
    EXPECT_TRUE(sema::read_regex(text, RegexText::escapes).error) << text;
    EXPECT_FALSE(sema::read_regex(text, RegexText::bytes).error) << text;
  }
  for (const char* text : {"%C3", "%20abc", "%C3def", "%(c)", "a", "%25c3"})
    EXPECT_FALSE(sema::read_regex(text, RegexText::escapes).error) << text;
}

TEST(Regex, Sizes) {
  const auto size = [](const char* text) { return sema::size_of(sema::read_regex(text, RegexText::bytes).regex); };
  EXPECT_EQ(size(""), 0u);
  EXPECT_EQ(size("abc"), 3u);
  EXPECT_EQ(size("(ab|c)*"), 3u);
  EXPECT_EQ(size("a{3}"), 3u);
  EXPECT_EQ(size("(ab){2,5}"), 10u);
  EXPECT_EQ(size("(a{1000}){1000}"), sema::max_regex_size + 1);
  EXPECT_EQ(size("(((a{1000}){1000}){1000}){1000}"), sema::max_regex_size + 1);
}

TEST(Regex, WhatItMayBeginWith) {
  const auto begins = [](const char* text, char c) {
    return sema::may_begin_with(sema::read_regex(text, RegexText::escapes).regex, static_cast<unsigned char>(c));
  };
  EXPECT_TRUE(begins("\\/a", '/'));
  EXPECT_TRUE(begins(".*a", '/'));
  EXPECT_TRUE(begins("(a|\\/)b", '/'));
  EXPECT_TRUE(begins("a?\\/", '/'));
  EXPECT_TRUE(begins("(a{0,2}|b)\\/", '/'));
  EXPECT_FALSE(begins("a\\/", '/'));
  EXPECT_FALSE(begins("a+\\/", '/'));
  EXPECT_FALSE(begins("", '/'));
}

/// Whose automaton explodes is refused, not waited for.
TEST(Regex, StopsAtItsBound) {
  Pattern pattern;
  pattern.graph = graph_of(sema::read_regex(".*a.{20}", RegexText::bytes).regex);
  EXPECT_TRUE(classify({pattern}, expression_limit).too_large);
}

TEST(Like, Segments) {
  const auto like = [](const char* text, const char* pattern, bool ignoring_case = false) {
    Pattern made;
    made.graph = graph_of_like(pattern, ignoring_case);
    return by_automaton(classify({made}), text);
  };
  EXPECT_TRUE(like("/a/7/b", "/a/{id}/b"));
  EXPECT_FALSE(like("/a//b", "/a/{id}/b"));
  EXPECT_FALSE(like("/a/7/8/b", "/a/{id}/b"));
  EXPECT_FALSE(like("/a/7/b/", "/a/{id}/b"));
  EXPECT_TRUE(like("/a/7", "/a/{id}/**"));
  EXPECT_TRUE(like("/a/7/", "/a/{id}/**"));
  EXPECT_TRUE(like("/a/7/b/c", "/a/{id}/**"));
  EXPECT_FALSE(like("/a/", "/a/{id}/**"));
  EXPECT_TRUE(like("/a%c3/x", "/a%C3/{x}"));
  EXPECT_FALSE(like("/A/x", "/a/{x}"));
  EXPECT_TRUE(like("/A/x", "/a/{x}", true));
  EXPECT_TRUE(like("/", "/**"));
  EXPECT_TRUE(like("", "/**"));  // no request has that path
  EXPECT_TRUE(like("/a", "/a"));
  EXPECT_TRUE(like("/a/", "/a/"));
  EXPECT_FALSE(like("/a", "/a/"));
}

}  // namespace
}  // namespace heddle::plan
