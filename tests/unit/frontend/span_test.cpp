// What is underlined, byte by byte, and how many of several mistakes one run finds.

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
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
      {R"(host ends "a.example")", {"E0415 ends"}},
      {R"(host is "a.example.")", {R"(E0412 "a.example.")"}},
      {R"(header "x" starts "")", {"E0420 \"\""}},
      {R"(header "x y" present)", {R"(E0408 "x y")"}},
      {R"(header "Content-Length" is "1")", {R"(E0409 "Content-Length")"}},
      {R"(header "x" is "a ")", {R"(E0413 "a ")"}},
      {R"(header "x" is " A" ignoring case)", {"E0413 \" A\""}},
      {R"(method is get)", {"E0410 get"}},
      {R"(method in [GET, Post, put])", {"E0410 Post", "E0410 put"}},
      {R"(from nobody)", {"E0109 nobody"}},
      {R"(from in [web, wep, cart])", {"E0109 wep"}},
      {R"(from web via cart)", {"E0208 web"}},
      {R"(query "a=b" present)", {"E0424 \"a=b\""}},
      {R"(query "a" is "b c")", {"E0425 \"b c\""}},
      {R"(cookie "a b" present)", {"E0424 \"a b\""}},
      {R"(cookie "a" ends "b;")", {"E0425 \"b;\""}},
      {R"(claim "a" "b" has "c")", {}},
      {R"(claim "a" "" present)", {"E0424 \"a\" \"\""}},
      {R"(claim "a" under "b")", {"E0415 under"}},
      {R"(claim "a" contains "")", {"E0420 \"\""}},
      {R"(address in [10.0.0.0/8, fd00::/129, 10.0.0.1/8])", {"E0015 fd00::/129", "E0015 10.0.0.1/8"}},
      {R"(port in [80, 81, 70000])", {"E0504 81", "E0016 70000"}},
      {R"(sni is "a")", {"E0448 sni"}},
      {R"(grpc "pkg.Service/Method")", {}},
      {R"(grpc "pkg.Service/")", {"E0446 \"pkg.Service/\""}},
      {R"(grpc "/pkg.Service")", {"E0446 \"/pkg.Service\""}},
      {R"(grpc "pkg.2.Service")", {"E0446 \"pkg.2.Service\""}},
      {R"(path matches /a[b\/c]+/)", {"E0411 a[b\\/c]+"}},
      {R"(path matches /\/a(b/)", {"E0421 ("}},
      {R"(path matches /\/a*?/)", {"E0421 ?"}},
      {R"(path matches /\/(a{1000}){1000}/)", {"E0422 \\/(a{1000}){1000}"}},
      {R"(path like "/a/*")", {"E0423 \"/a/*\""}},
      {R"(path ends "/a//b")", {"E0411 \"/a//b\""}},
      {R"(geo)", {"E0416 geo"}},
      {R"(payments.geo is "x")", {"E0416 payments.geo"}},
      {R"(path is "/a" and method is GET or from web)", {"E0014 or"}},
      {R"(path is "/a" or method is GET and from web)", {"E0014 and"}},
      {R"((path is "/a" or method is GET and from web) and from cart)", {"E0014 and"}},
      {R"(path is "a\q\xZZ\n")", {R"(E0411 "a\q\xZZ\n")", "E0007 \\q", "E0007 \\x"}},
  };
  for (const Case& test : cases) EXPECT_EQ(check_condition(test.text).found(), test.found) << test.text;
}

TEST(Span, OfMistakesInDeclarations) {
  const std::string service = "service s { address 10.1.0.1:80 protocol http transport plaintext ";
  const std::string tail = " }\naccess s { }\n";
  const std::pair<std::string, Strings> cases[] = {
      {"mesh again { trust_domain \"x\" }", {"E0102 mesh"}},
      {"identity web = spiffe \"x\"", {"E0108 web"}},
      {"identity x = spiffe \"a/\"", {R"(E0201 "a/")"}},
      {"identity x = x or web", {"E0202 x"}},
      {"identity x = wep or crat", {"E0109 wep", "E0109 crat"}},
      {"workload w { identity web }", {"E0103 w"}},
      {"workload w { cgroup \"a\" cgroup \"b\" identity web }", {R"(E0104 "b")"}},
      {"workload w { cgroup \"a//b\" identity web }", {R"(E0204 "a//b")"}},
      {"workload w { cgroup \"/\" identity web }", {R"(E0204 "/")"}},
      {"identity g = web or cart workload w { cgroup \"a\" identity g }", {"E0203 g"}},
      {"workload w { cgroup \"a\" identity web } workload v { cgroup \"/a/\" identity web }",
       {R"(E0205 "a")"}},
      {"workload w { cgroup \"a/*\" identity web } workload v { cgroup \"*/b\" identity web }",
       {R"(E0205 "a/*")"}},
      {"workload w { cgroup \"a/*\" identity web } workload v { cgroup \"a\" identity web }", {}},
      {service + "protocol tcp" + tail, {"E0104 tcp"}},
      {service + "address 10.0.0.1:80" + tail, {"E0301 10.0.0.1:80"}},
      {service + "address 10.1.0.1:80" + tail, {"E0301 10.1.0.1:80"}},
      {service + "endpoint 10.0.1.1:8080" + tail, {"E0301 10.0.1.1:8080"}},
      {service + "endpoint 10.0.0.1:80" + tail, {"E0301 10.0.0.1:80"}},
      {service + "endpoint 0.0.0.0:80" + tail, {"E0015 0.0.0.0:80"}},
      {service + "endpoint 10.9.9.9:0" + tail, {"E0015 10.9.9.9:0"}},
      {service + "endpoint [ff02::1]:80" + tail, {"E0015 [ff02::1]:80"}},
      {service + "endpoint 10.9.9.9:80 { a \"1\" a \"2\" }" + tail, {"E0104 a"}},
      {service + "subset v1 where a is \"1\" subset v1 where a is \"2\"" + tail, {"E0108 v1"}},
      {service + "subset s where a is \"1\"" + tail, {"E0302 s"}},
      {service + "identity wbe" + tail, {"E0109 wbe"}},
      {"service s { address 10.1.0.1:80 }\naccess s { }", {"E0103 s", "E0103 s"}},
      {"endpoints crat { endpoint 10.9.9.9:80 }", {"E0110 crat"}},
      {"route crat { otherwise -> cart }", {"E0110 crat"}},
      {"access cart { }", {"E0401 access"}},
      {"route cart { otherwise -> cart } route cart { otherwise -> cart }", {"E0401 route"}},
      {"route cart { when from web -> v1 }", {"E0402 cart"}},
      {"route cart { otherwise -> v1 when from web -> v1 otherwise -> v2 }",
       {"E0403 when", "E0403 otherwise"}},
      {"route cart { otherwise -> v3 }", {"E0111 v3"}},
      {"route cart { otherwise -> cache }", {"E0445 cache"}},
      {"route cart { otherwise -> cart.v1 }", {}},
      {"route cart { otherwise -> cart.v7 }", {"E0111 cart.v7"}},
      {"route cart { otherwise -> split { 50% v1, 40% v2 } }", {"E0404 split { 50% v1, 40% v2 }"}},
      {"route cart { otherwise -> split { 50 v1, 0% v2, 50.00001% v1 } }",
       {"E0405 50", "E0405 0%", "E0405 50.00001%"}},
      {"route cart { otherwise -> respond 600 }", {"E0016 600"}},
      {"route cart { otherwise -> respond 304 \"x\" }", {R"(E0406 "x")"}},
      {"route cart { otherwise -> respond 200 type \"a/b\" }", {R"(E0430 "a/b")"}},
      {"route cart { otherwise -> split { 50% v1, 50% respond 204 \"x\" } }", {R"(E0406 "x")"}},
      {"route cart { otherwise -> redirect 304 host \"h\" }", {"E0431 304"}},
      {"route cart { otherwise -> redirect 301 }", {"E0432 redirect 301"}},
      {"route cart { otherwise -> redirect 301 prefix \"/\" to \"/\" }", {R"(E0432 redirect 301 prefix "/" to "/")"}},
      {"route cart { otherwise -> split { 50% v1, 50% redirect 301 scheme \"http\" } }", {R"(E0432 redirect 301 scheme "http")"}},
      {"route cart { otherwise -> redirect 301 host \"a\" port 0 host \"b\" }", {R"(E0104 "b")", "E0016 0"}},
      {"route cart { when path under \"/a\" -> redirect 301 prefix \"/a\" to \"/a\" otherwise -> cart }",
       {R"(E0432 redirect 301 prefix "/a" to "/a")"}},
      {"route cart { otherwise -> redirect 301 host \"h\" { timeout 1s } }", {"E0419 timeout 1s"}},
      {"route cache { otherwise -> redirect 301 host \"h\" }", {R"(E0407 redirect 301 host "h")"}},
      {"route cache { otherwise -> split { 50% cache, 50% respond 200 } }", {"E0407 respond 200"}},
      {"test \"t\" { send GET \"/\" to cart expect response header \"Location\" absent, response header \"location\" \"x\" }",
       {R"(E0505 response header "location" "x")"}},
      {"test \"t\" { connect to cache expect response header \"location\" absent }", {R"(E0407 response header "location" absent)"}},
      {"route cart { otherwise -> cart { label \"x\" } }", {R"(E0417 "x")"}},
      {"route cart { when from web -> v1 { label \"x\" } when from cart -> v1 { label \"x\" } otherwise -> "
       "v1 }",
       {R"(E0108 "x")"}},
      {"route cart { when from web -> v1 { label \"1\" } otherwise -> v1 }", {R"(E0417 "1")"}},
      {"route cart { when from web -> v1 { label \"a b\" } otherwise -> v1 }", {R"(E0417 "a b")"}},
      {"route cache { when method is GET -> cache otherwise -> respond 200 }",
       {"E0407 method", "E0407 respond 200"}},
      {"space late", {"E0106 space late"}},
      {"test \"t\" { }", {R"(E0507 "t")"}},
      {"test \"t\" { expect denied }", {"E0508 expect denied", R"(E0507 "t")"}},
      {"test \"t\" { connect to cache expect status 200 }", {"E0407 status 200"}},
      {"test \"t\" { send GET \"/\" to cart expect route v9 }", {"E0111 v9"}},
      {"test \"t\" { send GET \"/\" to cart expect denied, refused 400 }", {"E0505 refused 400"}},
      {"test \"t\" { send GET \"/\" to cart expect rule \"x\" }", {R"(E0503 "x")"}},
      {"test \"t\" { send GET \"/\" to cart expect denied } test \"t\" { send GET \"/\" to cart expect "
       "denied }",
       {R"(E0108 "t")"}},
  };
  for (const auto& [text, expected] : cases) {
    Strings found = check(base + text + "\n").found();
    Strings sorted = expected;
    std::sort(found.begin(), found.end());
    std::sort(sorted.begin(), sorted.end());
    EXPECT_EQ(found, sorted) << text;
  }
}

TEST(Span, OfBlocksInTheWrongSpace) {
  for (const char* block :
       {"route cart { otherwise -> cart }", "access cart { }", "endpoints cart { endpoint 10.9.9.9:80 }"}) {
    const Checked checked =
        check_files({{"root.mesh", base}, {"pay.mesh", std::string("space pay\n") + block + "\n"}});
    EXPECT_EQ(checked.found(), Strings{"E0112 cart"}) << block;
  }
  EXPECT_EQ(check_files({{"root.mesh", base + "route pay.s { otherwise -> s }"},
                         {"pay.mesh",
                          "space pay\nservice s { address 10.9.9.9:80 protocol http transport plaintext "
                          "}\naccess s { }\n"}})
                .found(),
            Strings{"E0112 pay.s"});
  EXPECT_EQ(check_files({{"root.mesh", base}, {"x.mesh", "space cart\n"}}).found(), Strings{"E0107 cart"});
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
      {"service x { address 10.0.0.1:80 10.0.0.2:80 }",
       "expected `,`, a statement of `service` or `}`, found `10.0.0.2:80`"},
      {"service x { address 10.0.0.1:80 protocl http }",
       "expected a statement of `service` or `}`, found `protocl`"},
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

TEST(Recovery, EndsABrokenStatementAtTheNextDeclaration) {
  const Checked checked = check(base + "service a {\n  adress 10.0.0.3:80\n\naccess a { allow from wbe }\n");
  EXPECT_EQ(checked.found(), (Strings{"E0011 adress", "E0109 wbe"}));
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
