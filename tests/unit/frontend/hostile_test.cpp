// Files that are no policies: one clear sentence each, and no crash.

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "tests/unit/frontend/checked.h"

namespace heddle::frontend {
namespace {

using Strings = std::vector<std::string>;

std::string repeated(const std::string& text, std::size_t times) {
  std::string result;
  for (std::size_t i = 0; i < times; ++i) result += text;
  return result;
}

TEST(Hostile, EmptyFiles) {
  EXPECT_EQ(check("").found(), Strings{"E0101 "});
  EXPECT_EQ(check(" \n\t\r\n").found(), Strings{"E0101 "});
  EXPECT_EQ(check("// nothing").found(), Strings{"E0101 "});
  EXPECT_TRUE(check_files({{"a.mesh", base}, {"b.mesh", ""}}).policy);
}

TEST(Hostile, FilesThatAreNoText) {
  EXPECT_EQ(check(std::string("mesh\0x", 6)).found(), (Strings{std::string("E0003 \0", 7)}));
  EXPECT_EQ(check("\x7f"
                  "ELF")
                .found(),
            Strings{"E0003 \x7f"});
  EXPECT_EQ(check("mesh \xc3(").found(), Strings{"E0002 \xc3"});
  EXPECT_EQ(check("\xEF\xBB\xBFmesh").found(), Strings{"E0004 \xEF\xBB\xBF"});
  EXPECT_EQ(check("\xFF\xFEm\0").found(), Strings{"E0002 \xFF"});
}

TEST(Hostile, TooLarge) {
  std::string text = base + "//";
  text.resize(source::max_file_bytes, 'x');
  EXPECT_TRUE(check(text).policy) << "the bound itself is fine";
  EXPECT_EQ(check(text + "x").found(), Strings{"E0001 "});
}

TEST(Hostile, NestedDeeply) {
  const auto nested = [](std::size_t depth) {
    return repeated("(", depth) + "path is \"/\"" + repeated(")", depth);
  };
  EXPECT_TRUE(check_condition(nested(63)).policy);
  EXPECT_EQ(check_condition(nested(64)).found(), Strings{"E0010 ("});
  EXPECT_EQ(check_condition(nested(500000)).found(), Strings{"E0010 ("});
  EXPECT_EQ(check(base + repeated("{", 100000)).found(), Strings{"E0010 {"});
  EXPECT_EQ(check(base + repeated("[", 100000)).found(), Strings{"E0010 ["});
}

TEST(Hostile, LongChains) {
  EXPECT_TRUE(check_condition(repeated("not ", 100000) + "path is \"/\"").policy);
  EXPECT_TRUE(check_condition(repeated("path is \"/a\" or ", 20000) + "path is \"/\"").policy);
  std::string groups;
  for (int i = 0; i < 5000; ++i)
    groups += "identity g" + std::to_string(i) + " = g" + std::to_string(i + 1) + "\n";
  EXPECT_TRUE(check(base + groups + "identity g5000 = web\n").policy);
  EXPECT_EQ(check(base + groups + "identity g5000 = g0\n").found(), Strings{"E0202 g0"});
}

TEST(Hostile, ManyErrors) {
  const Checked characters = check(repeated("@ ", 100000));
  EXPECT_EQ(characters.sink.error_count(), 51u);
  const Checked statements = check(base + "service x {\n" + repeated("adress\n", 10000) + "}\n");
  EXPECT_LE(statements.sink.error_count(), 53u);
}

/// Any bytes at all: no crash, and never a model together with an error.
TEST(Hostile, RandomBytesAndMangledPolicies) {
  std::mt19937 random(20);
  for (int round = 0; round < 400; ++round) {
    std::string text =
        base +
        "route cart { when path is \"/\" and (method is GET) -> split { 50% v1, 50% v2 } otherwise -> v1 }\n";
    for (unsigned change = random() % 8; change > 0; --change) {
      const std::size_t at = random() % text.size();
      switch (random() % 4) {
        case 0:
          text[at] = static_cast<char>(random() % 128);
          break;
        case 1:
          text.erase(at, random() % 20);
          break;
        case 2:
          text.insert(at, text.substr(random() % text.size(), random() % 30));
          break;
        default:
          text.insert(at, 1, "{}()[]\"/*-,.=:"[random() % 14]);
      }
    }
    const Checked checked = check(text);
    EXPECT_EQ(checked.policy.has_value(), !checked.sink.has_errors()) << text;
    for (const auto& diagnostic : checked.sink.sorted(checked.sources)) {
      EXPECT_LE(diagnostic.span.begin, diagnostic.span.end) << text;
      EXPECT_LE(diagnostic.span.end, text.size()) << text;
    }
  }
}

}  // namespace
}  // namespace heddle::frontend
