// What is underlined, byte by byte, and how many of several mistakes one run finds.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/frontend/checked.h"

namespace heddle::frontend {
namespace {

using Strings = std::vector<std::string>;

struct Case {
  const char* text;
  Strings found;
};

TEST(Span, OfMistakesInConditions) {
  const Case cases[] = {
      {R"(path is "/a//b")", {R"(E0411 "/a//b")"}},
      {R"(path in ["/a", "b", "/c/./d"])", {R"(E0411 "b")", R"(E0411 "/c/./d")"}},
      {R"(path present)", {"E0415 present"}},
      {R"(path not in ["/a;b"])", {R"(E0411 "/a;b")"}},
      {R"(host starts "a")", {"E0415 starts"}},
      {R"(host under "a.example")", {"E0013 under"}},
      {R"(host is "a.example.")", {R"(E0412 "a.example.")"}},
      {R"(header "x" starts "a")", {"E0013 starts"}},
      {R"(header "x y" present)", {R"(E0408 "x y")"}},
      {R"(header "Content-Length" is "1")", {R"(E0409 "Content-Length")"}},
      {R"(header "x" is "a ")", {R"(E0413 "a ")"}},
      {R"(header "x" is "A" ignoring case)", {"E0013 ignoring case"}},
      {R"(method is get)", {"E0410 get"}},
      {R"(method in [GET, Post, put])", {"E0410 Post", "E0410 put"}},
      {R"(from nobody)", {"E0109 nobody"}},
      {R"(from in [web, wep, cart])", {"E0109 wep"}},
      {R"(from web via cart)", {"E0013 via"}},
      {R"(query "a" present)", {"E0013 query"}},
      {R"(cookie "a" present)", {"E0013 cookie"}},
      {R"(claim "a" "b" has "c")", {"E0013 claim"}},
      {R"(address in [10.0.0.0/8, fd00::/8])", {"E0013 address"}},
      {R"(port is 80)", {"E0013 port"}},
      {R"(sni is "a")", {"E0013 sni"}},
      {R"(grpc "pkg.Service/Method")", {"E0013 grpc"}},
      {R"(path matches /a[b\/c]+/)", {"E0013 matches"}},
      {R"(path like "/a/{x}")", {"E0013 like"}},
      {R"(path ends "/a")", {"E0013 ends"}},
      {R"(geo)", {"E0416 geo"}},
      {R"(payments.geo is "x")", {"E0416 payments.geo"}},
      {R"(path is "/a" and method is GET or from web)", {"E0014 or"}},
      {R"(path is "/a" or method is GET and from web)", {"E0014 and"}},
      {R"((path is "/a" or method is GET and from web) and from cart)", {"E0014 and"}},
      {R"(path is "a\q\xZZ\n")", {R"(E0411 "a\q\xZZ\n")", "E0007 \\q", "E0007 \\x"}},
  };
  for (const Case& test : cases) EXPECT_EQ(check_condition(test.text).found(), test.found) << test.text;
}

TEST(Span, OfSyntaxErrors) {
  const Case cases[] = {
      {"service {", {"E0011 {"}},
      {"service none { }", {"E0011 none"}},
      {"wrokload w { }", {"E0011 wrokload"}},
      {"route cart { otherwise cart }", {"E0011 cart"}},
      {"route cart { when -> v1 otherwise -> cart }", {"E0011 ->"}},
      {"route cart { when path -> v1 otherwise -> cart }", {"E0011 ->"}},
      {"route cart { when path is -> v1 otherwise -> cart }", {"E0011 ->"}},
      {"route cart { when path is 7 -> v1 otherwise -> cart }", {"E0011 7"}},
      {"route cart { when (path is \"/\" -> v1 otherwise -> cart }", {"E0011 ->"}},
      {"route cart { when path in [] -> v1 otherwise -> cart }", {"E0011 ]"}},
      {"route cart { when path in [\"/a\",] -> v1 otherwise -> cart }", {"E0011 ]"}},
      {"route cart { otherwise -> split { 50% v1 50% v2 } }", {"E0011 50%"}},
      {"route cart { otherwise -> split { 50% v1, 50% respond } }", {"E0011 }"}},
      {"route cart { otherwise -> v1 { lable \"x\" } }", {"E0011 lable"}},
      {"identity x = web and cart", {"E0011 and"}},
      {"identity x = \"y\"", {"E0011 \"y\""}},
      {"workload w { cgroup web }", {"E0011 web"}},
      {"test t { }", {"E0011 t"}},
      {"test \"t\" { send GET / to cart expect denied }", {"E0005 /", "E0006 "}},
  };
  for (const Case& test : cases) {
    Checked checked = check(base + test.text + "\n");
    Strings found = checked.found();
    if (std::string(test.text).find("/ to") != std::string::npos) {
      ASSERT_FALSE(found.empty());
      EXPECT_EQ(found.front(), "E0005 /");
      continue;
    }
    EXPECT_EQ(found, test.found) << test.text;
  }
}

Strings syntax_messages(const Checked& checked) {
  Strings messages;
  for (const auto& diagnostic : checked.sink.sorted(checked.sources)) {
    if (std::string(diagnostic.kind->name) == "syntax") messages.push_back(diagnostic.message);
  }
  return messages;
}

TEST(Syntax, SaysWhatWasExpected) {
  const std::pair<const char*, const char*> cases[] = {
      {"service {", "expected a name, found `{`"},
      {"service none { }", "expected a name, found the reserved word `none`"},
      {"route cart { when -> v1 otherwise -> cart }", "expected a condition, found `->`"},
      {"route cart { when path -> v1 otherwise -> cart }",
       "expected an operator (`is`, `in`, `under`, `starts`, `present`, …), found `->`"},
      {"route cart { when path is 7 -> v1 otherwise -> cart }", "expected a string, found `7`"},
      {"route cart { when (path is \"/\" -> v1 otherwise -> cart }",
       "expected `and`, `or`, `ignoring` or `)`, found `->`"},
      {"route cart { otherwise -> split { 50% v1 50% v2 } }", "expected `,`, `{` or `}`, found `50%`"},
      {"route cart { otherwise -> }",
       "expected a target (a subset, the service, `split`, `respond` or `redirect`), found `}`"},
      {"wrokload w { }", "expected a declaration (`service`, `route`, `access`, …), found `wrokload`"},
      {"service x { adress 10.0.0.1:80 }", "expected a statement of `service` or `}`, found `adress`"},
      {"access cart { allow form web }", "expected `from`, found `form`"},
      {"service x {", "expected a statement of `service` or `}`, found the end of the file"},
      {"workload w { cgroup web }", "expected a string, found `web`"},
      {"service x { address 10.0.0.1 }",
       "expected an address with a port (`10.0.0.1:80`, `[fd00::1]:80`), found `10.0.0.1`"},
  };
  for (const auto& [text, message] : cases) {
    const Checked checked = check(base + text + "\n");
    EXPECT_EQ(syntax_messages(checked), Strings{message}) << text;
  }
}

TEST(Recovery, GoesOnAtTheNextStatement) {
  const Checked checked = check(base + R"(
service a {
  adress 10.0.0.3:80
  protocol htp
  transport plaintext
  balance
  subset v1 where version "v1"
}
route a {
  when path "/x" -> v1
  when path is "/y" and -> a
  when path is "/z" -> { }
  otherwise -> nowhere
}
workload w { cgroup  identity wbe }
access a { allow web  deny from any when  allow from web }
)");
  EXPECT_EQ(checked.found(),
            (Strings{"E0011 adress", "E0011 htp", "E0011 subset", R"(E0011 "v1")", R"(E0011 "/x")",
                     "E0011 ->", "E0011 {", "E0011 identity", "E0109 wbe", "E0011 web", "E0011 allow"}));
}

TEST(Recovery, EndsAnOpenBlockAtTheNextDeclaration) {
  const Checked checked = check(base + R"(
service a {
  address 10.0.0.3:80
  protocol http
  transport plaintext

access a { allow from wbe }
)");
  EXPECT_EQ(checked.found(), (Strings{"E0011 access", "E0109 wbe"}));
  EXPECT_EQ(checked.messages().front(), "expected a statement of `service` or `}`, found `access`");
}

TEST(Recovery, DoesNotBlameNamesForALostDeclaration) {
  const Checked checked = check(base + "identity 7 = spiffe \"x\"\naccess cart { allow from seven }\n");
  EXPECT_EQ(checked.found(), (Strings{"E0011 7", "E0401 access"}));
}

TEST(Recovery, SeesALostDeclarationBesideABrokenOne) {
  const Checked checked =
      check(base + "service x { adress 1 }\nidentiy seven = spiffe \"x\"\nidentity all = seven or web\n");
  EXPECT_EQ(checked.found(), (Strings{"E0011 adress", "E0011 identiy"}));
}

TEST(Recovery, KeepsEveryMistakeInItsFile) {
  const Checked checked =
      check_files({{"b.mesh", "identity x = y\n"}, {"a.mesh", base + "identity z = zz\n"}});
  ASSERT_EQ(checked.found(), (Strings{"E0109 zz", "E0109 y"}));
  EXPECT_EQ(checked.sink.sorted(checked.sources)[1].span, (source::Span{0, 13, 14}));
}

TEST(Span, CountsBytesNotCharacters) {
  const Checked checked = check(base + "// größer ≥ 1\nidentity ü = spiffe \"x\"\n");
  ASSERT_FALSE(checked.found().empty());
  EXPECT_EQ(checked.found().front(), "E0005 ü");
  EXPECT_EQ(checked.sink.sorted(checked.sources).front().span.end -
                checked.sink.sorted(checked.sources).front().span.begin,
            2u);
}

}  // namespace
}  // namespace heddle::frontend
