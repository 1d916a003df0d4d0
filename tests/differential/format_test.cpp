// `heddle fmt` on policies whose layout and comments are chance: what is formatted means the same, keeps every comment and
// stays as it is.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "compiler/plan/describe_model.h"
#include "compiler/syntax/format.h"
#include "tests/differential/parsed.h"
#include "tests/differential/policy_text.h"

namespace heddle::differential {
namespace {

std::string formatted(const std::string& text) {
  source::SourceManager sources;
  const auto file = sources.add("p.mesh", text);
  diagnostics::Sink sink;
  const auto out = syntax::format_file(sources, file, sink);
  EXPECT_TRUE(out) << text;
  return out.value_or("");
}

std::string model_of(const std::string& text) {
  const Parsed parsed = parse(text);
  EXPECT_TRUE(parsed.policy) << parsed.complaint << text;
  return parsed.policy ? plan::describe_model(*parsed.policy) : "";
}

/// Where blanks stand, and nothing else: not in a string, and not in an expression.
template <typename Replace>
std::string with_other_blanks(const std::string& text, Replace&& replace) {
  std::string out;
  char inside = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (inside != 0) {
      out += c;
      if (c == '\\') out += text[++i];
      if (c == inside) inside = 0;
      continue;
    }
    if (c == '"') inside = '"';
    if (c == '/' && out.ends_with("matches ")) inside = '/';
    const bool blank = c == ' ' || c == '\n';
    if (!blank || out.ends_with("matches ")) {
      out += c;
    } else if (i + 1 == text.size() || (text[i + 1] != ' ' && text[i + 1] != '\n')) {
      out += out.ends_with("matches") ? " " : replace();
    }
  }
  return out;
}

std::map<std::string, int> comments_of(const std::string& text) {
  std::map<std::string, int> found;
  for (std::size_t at = text.find("c#"); at != std::string::npos; at = text.find("c#", at + 1))
    ++found[text.substr(at, text.find_first_of(" \n*", at) - at)];
  return found;
}

TEST(Format, OfChancePolicies) {
  for (std::uint64_t number = 0; number < 1000 && !testing::Test::HasFailure(); ++number) {
    Random random(number + 4711);
    const std::string right = random_policy(random);
    int count = 0;
    const std::string text = with_other_blanks(right, [&]() -> std::string {
      static const std::vector<std::string> blanks = {" ", " ", " ", " ", "\n", "   ", "\t", "\n\n", "\n\n\n", "\r\n  "};
      if (random.chance(97)) return random.pick(blanks);
      const std::string name = "c#" + std::to_string(++count);
      return random.chance(50) ? random.pick(blanks) + "// " + name + " it's { \"\n" : " /* " + name + " */ ";
    });
    const std::string once = formatted(text);
    ASSERT_EQ(formatted(once), once) << text;
    ASSERT_EQ(model_of(once), model_of(right)) << text;
    ASSERT_EQ(comments_of(once), comments_of(text));
    ASSERT_EQ(static_cast<int>(comments_of(once).size()), count);
  }
}

/// A policy that the generator wrote and one in which all of it stands on one line come out alike but for what fits on a line.
TEST(Format, OfExamples) {
  std::size_t files = 0;
  for (const char* folder : {HEDDLE_SOURCE_DIR "/examples", HEDDLE_SOURCE_DIR "/tests/vectors"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
      if (entry.path().extension() != ".mesh") continue;
      std::ifstream file(entry.path());
      std::ostringstream text;
      text << file.rdbuf();
      EXPECT_EQ(formatted(text.str()), text.str()) << entry.path() << " is not in the one format: `heddle fmt` it";
      ++files;
    }
  }
  EXPECT_GT(files, 5u);
}

/// What is evaluated and not run yet stands in no policy that is made by chance.
TEST(Format, OfTheLanguagesPage) {
  std::ifstream file(HEDDLE_SOURCE_DIR "/docs/language.md");
  std::ostringstream page;
  page << file.rdbuf();
  const std::string all = page.str();
  std::string text;
  for (const std::string fence : {"```mesh\n", "```mesh later\n"}) {
    for (std::size_t at = all.find(fence); at != std::string::npos; at = all.find(fence, at)) {
      at += fence.size();
      text += all.substr(at, all.find("```", at) - at);
    }
  }
  const std::string once = formatted(text);
  EXPECT_EQ(formatted(once), once);
  EXPECT_EQ(model_of(once), model_of(text));
  EXPECT_NE(model_of(once).find("retry gentle: at_most 2"), std::string::npos);
}

TEST(Format, OfEveryConstruct) {
  const std::string text = R"(// A file.
space   payments

/// What it is.
mesh shop{trust_domain "a"   outside deny}
mesh other {
paths strict   // trailing
  trust_domain "a"  // two


    amplification at_most 9
}
identity web = spiffe "ns/web"
identity readers=web or   batch

service a { address 10.0.0.1:80 ,
   10.0.0.2:80   protocol http
  subset v1 where version is "v1"   and zone is "a"
  transport plaintext }
endpoints a { endpoint 10.0.0.3:80{version "v1"} endpoint 10.0.0.4:80 }
route a {
  when path is "/a"->v1
  when ( path under "/b" or not method in [GET,HEAD] )
     and header "x" present -> split by header "x" { 90 % v1 , 10.5% a }
  otherwise->a{label "rest"}
}
access a {
  allow from readers  when path is "/" { label "x" timeout none }
  deny from any
  audit deny from any
}
limit l on a { rate 10/s burst 5
 key header "x",address }
retry r { on reset , status 502 .. 504 backoff 25ms..250ms }
test "t" {
send GET "/" to payments . a   from web
    with header "a" "b" // why
expect allowed ,route v1
}
)";
  std::string wanted = R"(// A file.
space payments

/// What it is.
mesh shop { trust_domain "a"  outside deny }
mesh other {
  paths        strict  // trailing
  trust_domain "a"     // two

  amplification at_most 9
}
identity web     = spiffe "ns/web"
identity readers = web or batch

service a {
  address 10.0.0.1:80,
      10.0.0.2:80
  protocol  http
  subset v1 where version is "v1" and zone is "a"
  transport plaintext
}
endpoints a { endpoint 10.0.0.3:80 { version "v1" }  endpoint 10.0.0.4:80 }
route a {
  when path is "/a" -> v1
  when (path under "/b" or not method in [GET, HEAD])
      and header "x" present -> split by header "x" { 90% v1, 10.5% a }
  otherwise -> a { label "rest" }
}
access a {
  allow from readers when path is "/" { label "x"  timeout none }
  deny  from any
  audit deny from any
}
limit l on a {
  rate 10/s burst 5
  key  header "x", address
}
retry r { on reset, status 502..504  backoff 25ms..250ms }
test "t" {
  send GET "/" to payments.a from web
      with header "a" "b"  // why
  expect allowed, route v1
}
)";
  std::string source = text;
  const std::string percent = "90 % v1";
  source.replace(source.find(percent), percent.size(), "90% v1");
  EXPECT_EQ(formatted(source), wanted);
  EXPECT_EQ(formatted(wanted), wanted);
}

TEST(Format, WhatIsWrongIsLeftAlone) {
  for (const char* text : {"mesh shop {", "route a { when -> }", "\"", "}"}) {
    source::SourceManager sources;
    const auto file = sources.add("p.mesh", text);
    diagnostics::Sink sink;
    EXPECT_FALSE(syntax::format_file(sources, file, sink)) << text;
    EXPECT_TRUE(sink.has_errors());
  }
  EXPECT_EQ(formatted(""), "");
  EXPECT_EQ(formatted("\n\n// only\n\n\n// this"), "// only\n\n// this\n");
}

}  // namespace
}  // namespace heddle::differential
