#include <gtest/gtest.h>

#include <random>
#include <string>

#include "compiler/diagnostics/printable.h"
#include "compiler/diagnostics/render.h"
#include "compiler/diagnostics/suggest.h"
#include "compiler/sema/literals.h"
#include "compiler/sema/numbers.h"
#include "compiler/sema/spiffe.h"
#include "tests/unit/frontend/checked.h"

namespace heddle::frontend {
namespace {

using sema::Part;

TEST(PathLiteral, ShowsTheSpelling) {
  const std::pair<const char*, const char*> wrong[] = {
      {"", "/"},      {"a", "/a"},          {"/a//b", "/a/b"},  {"/a/./b", "/a/b"}, {"/a/../b", "/b"},
      {"/..", "/"},   {"/a/..", "/"},       {"/a b", "/a%20b"}, {"/ü", "/%C3%BC"},  {"/%41", "/A"},
      {"/%7e", "/~"}, {"/100%", "/100%25"}, {"/a/.", "/a/"},    {"//", "/"},        {"/%zz", "/%25zz"},
  };
  for (const auto& [literal, spelling] : wrong) {
    const auto never = sema::check_path(literal, Part::whole);
    ASSERT_TRUE(never) << literal;
    EXPECT_EQ(never->spelling, spelling) << literal;
    if (std::string(spelling) != "") {
      EXPECT_FALSE(sema::check_path(never->spelling, Part::whole))
          << "the spelling of " << literal << " never matches";
    }
  }
  for (const char* literal : {"/a?b", "/a#b", "/a;b", "/a\\b", "/%2f", "/%5C", "/%00"}) {
    const auto never = sema::check_path(literal, Part::whole);
    ASSERT_TRUE(never) << literal;
    EXPECT_EQ(never->spelling, "") << literal;
  }
}

TEST(PathLiteral, ThatIsRight) {
  for (const char* literal : {"/", "/a", "/a/", "/a/b.c", "/.well-known", "/...", "/a%20b", "/%C3%bc",
                              "/a:@!$&'()*+,=~", "/a|b{c}"}) {
    EXPECT_FALSE(sema::check_path(literal, Part::whole)) << literal;
  }
}

TEST(PathLiteral, OfStartsMayBeCutAnywhere) {
  for (const char* literal : {"/a/.", "/a/..", "/a%", "/a%2", "/a%C", "/"}) {
    EXPECT_FALSE(sema::check_path(literal, Part::beginning)) << literal;
    if (std::string(literal) != "/") {
      EXPECT_TRUE(sema::check_path(literal, Part::whole)) << literal;
    }
  }
  for (const char* literal : {"/a/../", "/a//", "/a%2F", "a", "/%4", "/a%/b"}) {
    // `%4` can only go on as an escape of a byte that needs none, except `%40`.
    if (std::string(literal) == "/%4") continue;
    EXPECT_TRUE(sema::check_path(literal, Part::beginning)) << literal;
  }
}

TEST(PathLiteral, OfEndsMayHaveBegunAnywhere) {
  for (const char* literal : {".json", "/a", "b/c", "./b", "../b", "3%20", "/"})
    EXPECT_FALSE(sema::check_path(literal, Part::end)) << literal;
  const std::pair<const char*, const char*> wrong[] = {
      {"a//b", "a/b"}, {"//", "/"}, {"/./a", "/a"}, {"a/..", ""}, {"%", "%25"}, {"a b", "a%20b"}, {"x?", ""}};
  for (const auto& [literal, spelling] : wrong) {
    const auto never = sema::check_path(literal, Part::end);
    ASSERT_TRUE(never) << literal;
    EXPECT_EQ(never->spelling, spelling) << literal;
  }
}

TEST(PathLiteral, OfLike) {
  for (const char* literal : {"/", "/a", "/{id}", "/a/{id}/b", "/{a}/{b}/**", "/**", "/a/**"})
    EXPECT_FALSE(sema::check_like(literal)) << literal;
  const std::pair<const char*, const char*> wrong[] = {{"/a/*", "/a/{name}"}, {"/*/b", "/{name}/b"}, {"/**/b", "/**"},
                                                       {"/v{x}", ""},         {"/{}", ""},           {"/{a b}", ""},
                                                       {"/a*", ""},           {"/{x", ""},           {"/x}", ""}};
  for (const auto& [literal, spelling] : wrong) {
    const auto never = sema::check_like(literal);
    ASSERT_TRUE(never) << literal;
    EXPECT_EQ(never->spelling, spelling) << literal;
  }
}

TEST(PathLiteral, EscapesHaveOneForm) {
  EXPECT_EQ(sema::normalise_path("/%c3%a9"), "/%C3%A9");
  EXPECT_EQ(sema::normalise_path("/%25ab"), "/%25ab");
  EXPECT_EQ(sema::normalise_path("/a%c"), "/a%C");
  EXPECT_EQ(sema::normalise_path("/a%"), "/a%");
}

TEST(ValueLiteral, Parts) {
  EXPECT_TRUE(sema::check_header_value(" a", Part::whole));
  EXPECT_TRUE(sema::check_header_value(" a", Part::beginning));
  EXPECT_FALSE(sema::check_header_value(" a", Part::end));
  EXPECT_FALSE(sema::check_header_value(" a ", Part::middle));
  EXPECT_TRUE(sema::check_header_value("a ", Part::end));
  EXPECT_FALSE(sema::check_header_value("a ", Part::beginning));
  EXPECT_FALSE(sema::check_header_value("", Part::whole));
  EXPECT_TRUE(sema::check_header_value("a\x01", Part::middle));
  EXPECT_TRUE(sema::check_cookie_value("a;b", Part::whole));
  EXPECT_FALSE(sema::check_cookie_value("a=\"b\"", Part::whole));
  EXPECT_EQ(sema::check_query_value("a b", Part::whole)->spelling, "a%20b");
  EXPECT_EQ(sema::check_query_value("%41", Part::whole)->spelling, "A");
  EXPECT_EQ(sema::check_query_value("a&b", Part::whole)->spelling, "");
  EXPECT_TRUE(sema::check_query_value("a%2", Part::end));
  EXPECT_FALSE(sema::check_query_value("a%2", Part::middle));
  EXPECT_FALSE(sema::check_query_value("a=b/;c?", Part::whole));
}

TEST(ServerNameLiteral, Cases) {
  const std::string label(63, 'a');
  for (const std::string& literal : {std::string("a"), std::string("a.example"), std::string("a_b.c-d"), std::string("10.0.0.1a"), label + ".b"})
    EXPECT_FALSE(sema::check_server_name(literal)) << literal;
  const std::pair<std::string, const char*> wrong[] = {
      {"", ""}, {".", ""}, {"a.", "a"}, {".a", "a"}, {"a..b", "a.b"}, {"a:443", "a"}, {"10.0.0.1", ""}, {"a.1", ""}, {"::1", ""},
      {"[fd00::1]", ""}, {"*.a.example", "a.example"}, {"a*", ""}, {"a/b", ""}, {"a b", ""}, {"\xc3\xa9", ""}, {label + "a", ""},
      {label + "." + label + "." + label + "." + label, ""}};
  for (const auto& [literal, spelling] : wrong) {
    const auto never = sema::check_server_name(literal);
    ASSERT_TRUE(never) << literal;
    EXPECT_EQ(never->spelling, spelling) << literal;
  }
}

TEST(HostLiteral, Cases) {
  for (const char* literal : {"a", "a.example", "a_b.c-d", "10.0.0.1", "[fd00::1]", "[::ffff:1.2.3.4]"}) {
    EXPECT_FALSE(sema::check_host(literal)) << literal;
  }
  const std::pair<const char*, const char*> wrong[] = {
      {"", ""},    {"a.", "a"},  {"a:80", "a"}, {"[::1]:80", "[::1]"}, {"u@a", ""},
      {"a b", ""}, {"a..b", ""}, {"a/b", ""},   {"[::1", ""},          {"a.example:", "a.example"}};
  for (const auto& [literal, spelling] : wrong) {
    const auto never = sema::check_host(literal);
    ASSERT_TRUE(never) << literal;
    EXPECT_EQ(never->spelling, spelling) << literal;
  }
}

TEST(Percent, InPartsOfAMillion) {
  const std::pair<const char*, int> cases[] = {
      {"0%", 0},       {"100%", 1000000}, {"12.5%", 125000}, {"0.0001%", 1},       {"99.9999%", 999999},
      {"0.00010%", 1}, {"0.00001%", -1},  {"101%", -1},      {"99999999999%", -1}, {"50", -1}};
  for (const auto& [text, parts] : cases) {
    const auto value = sema::parts_of_million(text);
    EXPECT_EQ(value ? static_cast<int>(*value) : -1, parts) << text;
  }
  EXPECT_EQ(sema::percent_text(1000000), "100");
  EXPECT_EQ(sema::percent_text(125001), "12.5001");
}

TEST(Spiffe, Cases) {
  for (const char* text : {"a", "ns/shop/sa/web", "a.b-c_d/E9", "spiffe://x.example/a"}) {
    EXPECT_EQ(sema::read_spiffe(text, "t", false).wrong, nullptr) << text;
  }
  for (const char* text : {"", "/a", "a/", "a//b", "a/../b", ".", "a b", "a*", "spiffe://", "spiffe://X/a",
                           "spiffe://x", "http://x/a", "ü"}) {
    EXPECT_NE(sema::read_spiffe(text, "t", false).wrong, nullptr) << text;
  }
  EXPECT_EQ(sema::read_spiffe("a-*/b", "t", true).wrong, nullptr);
}

bool fits(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern.front() == '*') {
    for (std::size_t taken = 0; taken <= text.size(); ++taken) {
      if (text.substr(0, taken).find('/') != std::string_view::npos) break;
      if (fits(pattern.substr(1), text.substr(taken))) return true;
    }
    return false;
  }
  return !text.empty() && pattern.front() == text.front() && fits(pattern.substr(1), text.substr(1));
}

// Against all texts up to a length that suffices for patterns this short.
TEST(Patterns, MeetExactlyWhereATextFitsBoth) {
  std::vector<std::string> texts = {""};
  for (std::size_t i = 0; i < texts.size() && texts[i].size() < 6; ++i) {
    for (const char c : {'a', 'b', '/'}) texts.push_back(texts[i] + c);
  }
  std::mt19937 random(7);
  int met = 0;
  for (int round = 0; round < 2000; ++round) {
    std::string a, b;
    for (unsigned i = random() % 4; i > 0; --i) a += "ab/*"[random() % 4];
    for (unsigned i = random() % 4; i > 0; --i) b += "ab/*"[random() % 4];
    const bool expected = std::any_of(texts.begin(), texts.end(),
                                      [&](const std::string& t) { return fits(a, t) && fits(b, t); });
    EXPECT_EQ(sema::patterns_meet(a, b), expected) << a << " and " << b;
    met += expected ? 1 : 0;
  }
  EXPECT_GT(met, 200);
  EXPECT_LT(met, 1800);
}

TEST(Suggest, Distances) {
  EXPECT_EQ(diagnostics::edit_distance("web", "wbe"), 1u);
  EXPECT_EQ(diagnostics::edit_distance("kitten", "sitting"), 3u);
  EXPECT_EQ(diagnostics::edit_distance("", "abc"), 3u);
  EXPECT_EQ(diagnostics::did_you_mean("protcol", {"path", "protocol"}), "did you mean `protocol`?");
  EXPECT_EQ(diagnostics::did_you_mean("zebra", {"path", "protocol"}), std::nullopt);
  EXPECT_EQ(diagnostics::did_you_mean("x", {"y"}), std::nullopt);
}

TEST(Printable, NeverLetsATerminalBeDriven) {
  EXPECT_EQ(diagnostics::printable("a\x1b[31mb"), "a\\x1b[31mb");
  EXPECT_EQ(diagnostics::printable("\xff\xc3\xbc"), "\\xffü");
  EXPECT_EQ(diagnostics::printable("\xe2\x80\xae"), "\\u{202e}");
  EXPECT_EQ(diagnostics::utf8_length("\xc0\xaf"), 0u);
  EXPECT_EQ(diagnostics::utf8_length("\xed\xa0\x80"), 0u);
  EXPECT_EQ(diagnostics::utf8_length("\xf4\x90\x80\x80"), 0u);
  EXPECT_EQ(diagnostics::utf8_length("\xf0\x9f\x98\x80"), 4u);
}

TEST(Render, UsesColourOnlyWhenAsked) {
  const Checked checked = check(base + "identity x = y\n");
  EXPECT_EQ(diagnostics::render_pretty(checked.sink, checked.sources, false).find('\x1b'), std::string::npos);
  EXPECT_NE(diagnostics::render_pretty(checked.sink, checked.sources, true).find("\x1b[1;31m"),
            std::string::npos);
}

TEST(Render, UnderlinesAfterTabsAndUmlauts) {
  const Checked checked = check(base + "/* ü */\tidentity x = zzzz\n");
  const std::string text = diagnostics::render_pretty(checked.sink, checked.sources, false);
  EXPECT_NE(text.find(" | /* ü */    identity x = zzzz\n"), std::string::npos) << text;
  EXPECT_NE(text.find(" |                         ^^^^\n"), std::string::npos) << text;
}

}  // namespace
}  // namespace heddle::frontend
