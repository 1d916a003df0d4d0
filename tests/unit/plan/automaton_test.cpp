#include "compiler/plan/automaton.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>

#include "compiler/plan/comb.h"

namespace heddle::plan {
namespace {

using Begin = Pattern::Begin;
using End = Pattern::End;

/// The walk of bpf_templates/lib/step.h over the finished table.
std::uint32_t walk(const std::vector<hd_step>& steps, std::uint32_t state, std::string_view text) {
  for (const char c : text) {
    const hd_step& step = steps.at(state + static_cast<std::uint8_t>(c));
    state = (step.check == state ? step.next : steps.at(state + 256).next) & HD_STEP_STATE;
  }
  return steps.at(state + 256).check & HD_STEP_ACCEPT;
}

/// What a pattern means, said once more and without any automaton.
bool matches(const Pattern& pattern, std::string_view text) {
  const auto digit_of_escape = [&](std::size_t place) {
    return (place > 0 && text[place - 1] == '%') || (place > 1 && text[place - 2] == '%');
  };
  const auto at = [&](std::size_t start) {
    if (text.size() < start + pattern.body.size()) return false;
    for (std::size_t i = 0; i < pattern.body.size(); ++i) {
      auto byte = static_cast<std::uint8_t>(text[start + i]);
      if (pattern.escapes && digit_of_escape(start + i) && byte >= 'a' && byte <= 'f') byte ^= 0x20;
      if (byte != pattern.body[i].one && byte != pattern.body[i].other) return false;
    }
    const std::string_view rest = text.substr(start + pattern.body.size());
    return rest.empty() || pattern.end == End::anywhere ||
           (pattern.end == End::at_segment && rest.front() == '/');
  };
  if (at(0)) return true;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (pattern.begin == Begin::anywhere && at(i + 1)) return true;
    if (pattern.begin == Begin::after_dot && text[i] == '.' && at(i + 1)) return true;
  }
  return false;
}

class Walker {
 public:
  explicit Walker(std::vector<Pattern> patterns)
      : patterns_(std::move(patterns)), classifier_(classify(patterns_)) {
    comb_.add(classify({{exact_bytes("other"), End::here}}).automaton);  // not alone in the table
    start_ = comb_.add(classifier_.automaton);
  }
  std::set<std::uint32_t> operator()(std::string_view text) const {
    const auto& found = classifier_.sets.at(walk(comb_.steps(), start_, text));
    return {found.begin(), found.end()};
  }
  std::set<std::uint32_t> expected(std::string_view text) const {
    std::set<std::uint32_t> out;
    for (std::uint32_t p = 0; p < patterns_.size(); ++p) {
      if (matches(patterns_[p], text)) out.insert(p);
    }
    return out;
  }
  [[nodiscard]] const Classifier& classifier() const { return classifier_; }

 private:
  std::vector<Pattern> patterns_;
  Classifier classifier_;
  Comb comb_;
  std::uint32_t start_ = 0;
};

TEST(Automaton, LiteralsPrefixesAndSegments) {
  const Walker walk({{exact_bytes("/a"), End::here},
                     {exact_bytes("/a"), End::at_segment},
                     {exact_bytes("/a"), End::anywhere},
                     {exact_bytes("/a/b"), End::here}});
  EXPECT_EQ(walk("/a"), (std::set<std::uint32_t>{0, 1, 2}));
  EXPECT_EQ(walk("/a/b"), (std::set<std::uint32_t>{1, 2, 3}));
  EXPECT_EQ(walk("/ab"), (std::set<std::uint32_t>{2}));
  EXPECT_EQ(walk("/"), (std::set<std::uint32_t>{}));
  EXPECT_EQ(walk(""), (std::set<std::uint32_t>{}));
}

TEST(Automaton, AbsentIsAClassOfItsOwn) {
  const Walker walk({{{}, End::anywhere}});
  EXPECT_TRUE(walk.classifier().sets.front().empty());
  EXPECT_EQ(walk(""), (std::set<std::uint32_t>{0}));
}

TEST(Automaton, EveryByteCanBeInALiteral) {
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  const Walker walk({{exact_bytes(all), End::here}});
  EXPECT_EQ(walk(all), (std::set<std::uint32_t>{0}));
  all.back() = '\0';
  EXPECT_EQ(walk(all), (std::set<std::uint32_t>{}));
}

TEST(Automaton, AgreesWithTheDefinitionOnRandomSets) {
  std::mt19937 random(7);
  const auto word = [&random](std::size_t longest) {
    std::string out;
    for (std::size_t n = random() % (longest + 1); n > 0; --n) out += "ab/.%"[random() % 5];
    return out;
  };
  for (int round = 0; round < 80; ++round) {
    std::vector<Pattern> patterns;
    // What may begin anywhere and end anywhere takes a state for each set of such patterns: only a few.
    const bool contains = round % 4 == 0;
    for (std::size_t n = 1 + random() % (contains ? 6 : 70); n > 0; --n) {
      // As the language has them: what may begin after a dot (hosts) ends with the value.
      const auto begin = static_cast<Begin>(random() % 3);
      const bool here = begin == Begin::after_dot || (begin == Begin::anywhere && !contains);
      const End end = here ? End::here : static_cast<End>(random() % (begin == Begin::anywhere ? 2 : 3));
      std::string text = word(5);
      if (begin == Begin::anywhere && text.empty()) text = "a";
      patterns.push_back({random() % 2 == 0 ? exact_bytes(text) : caseless_bytes(text), end, begin});
    }
    const Walker walk(patterns);
    for (int i = 0; i < 60; ++i) {
      const std::string text = word(8);
      ASSERT_EQ(walk(text), walk.expected(text)) << text;
    }
  }
}

/// Escapes are found wherever the body begins; their digits are compared in upper case, other bytes as they are.
TEST(Automaton, ReadsEscapes) {
  std::mt19937 random(11);
  const auto word = [&random](std::size_t most, std::string_view digits) {
    std::string out;
    for (std::size_t n = random() % (most + 1); n > 0; --n) {
      out += "aA/c"[random() % 4];
      if (random() % 2 == 0) out += {'%', digits[random() % digits.size()], digits[random() % digits.size()]};
    }
    return out;
  };
  for (int round = 0; round < 200; ++round) {
    std::vector<Pattern> patterns;
    for (std::size_t n = 1 + random() % 8; n > 0; --n) {
      std::string text = word(3, "1AC");
      text = text.substr(std::min<std::size_t>(text.size(), random() % 4)) + "C";
      patterns.push_back({exact_bytes(text), End::here, Begin::anywhere, std::nullopt, true});
    }
    patterns.push_back({exact_bytes("/a"), End::anywhere});
    const Walker walk(patterns);
    for (int i = 0; i < 100; ++i) {
      const std::string text = word(4, "1AaCc") + (random() % 2 == 0 ? "%ac" : "C");
      ASSERT_EQ(walk(text), walk.expected(text)) << text;
    }
  }
}

/// Sets of patterns whose automaton explodes are refused, not waited for.
TEST(Automaton, StopsAtItsBound) {
  std::vector<Pattern> patterns;
  for (char c = 'a'; c <= 'z'; ++c) patterns.push_back({exact_bytes(std::string(1, c)), End::anywhere, Begin::anywhere});
  EXPECT_TRUE(classify(patterns).too_large);
}

TEST(Automaton, EqualPatternsGiveEqualTables) {
  const std::vector<Pattern> patterns = {{caseless_bytes("s.example"), End::here, Begin::after_dot},
                                         {exact_bytes("x"), End::here}};
  Comb one;
  Comb other;
  one.add(classify(patterns).automaton);
  other.add(classify(patterns).automaton);
  ASSERT_EQ(one.steps().size(), other.steps().size());
  for (std::size_t i = 0; i < one.steps().size(); ++i) {
    EXPECT_EQ(one.steps()[i].check, other.steps()[i].check);
    EXPECT_EQ(one.steps()[i].next, other.steps()[i].next);
  }
}

/// A long chain of states must not make the table quadratic to build or much larger than its entries.
TEST(Comb, LongChainsPackWell) {
  Comb comb;
  comb.add(classify({{exact_bytes(std::string(20000, 'v')), End::here}}).automaton);
  EXPECT_LT(comb.steps().size(), 20000U * 4);
}

TEST(Path, DigitsOfEscapesCompareInEitherCase) {
  const std::vector<PatternByte> bytes = path_bytes("/%c3a%25ab");
  EXPECT_NE(bytes[2].one, bytes[2].other);
  EXPECT_EQ(bytes[3].one, bytes[3].other);  // a digit has one case
  EXPECT_EQ(bytes[4].one, bytes[4].other);
  EXPECT_EQ(bytes[8].one, bytes[8].other);  // `a` after `%25` is a letter of its own
}

}  // namespace
}  // namespace heddle::plan
