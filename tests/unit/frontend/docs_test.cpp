// The language reference says what is true: its examples are one right policy, its list of what is not built
// is complete.

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

#include "tests/unit/frontend/checked.h"

namespace heddle::frontend {
namespace {

std::string read_reference() {
  std::ifstream file(HEDDLE_SOURCE_DIR "/docs/language.md");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string examples(const std::string& page) {
  const std::string fence = "```mesh\n";
  std::string text;
  for (std::size_t at = page.find(fence); at != std::string::npos; at = page.find(fence, at)) {
    at += fence.size();
    text += page.substr(at, page.find("```", at) - at);
  }
  return text;
}

TEST(LanguageReference, ItsExamplesAreOneRightPolicy) {
  const Checked checked = check(examples(read_reference()));
  ASSERT_TRUE(checked.policy) << checked.messages().front();
  EXPECT_TRUE(checked.sink.empty());
  EXPECT_EQ(checked.policy->services.size(), 8u);
  EXPECT_EQ(checked.policy->tests.front().cases.size(), 3u);
}

// Every construct that the grammar knows and this version does not build, once.
TEST(LanguageReference, ListsWhatIsNotBuilt) {
  const Checked checked = check(R"(
mesh shop { trust_domain "a" alias "b"  paths merge  amplification at_most 9 }
identity admin = jwt issuer "i" audience "a" jwks "k" where claim "roles" has "admin"
identity web = spiffe "ns/web"
workload w { cgroup "w" identity web }
service a { address 10.0.0.1:80 protocol http2 transport mtls identity web balance prefer same_zone maglev by header "x"
            paths strict keep "%2F" endpoint 10.0.0.2:80 }
service b { address 10.0.0.3:80 protocol grpc transport plaintext or mtls }
retry gentle { on connect_failure, reset, status 502..504 at_most 2 retries per_try 250ms backoff 25ms..250ms
               budget 20% of requests at_least 3/s methods idempotent buffer 64KiB }
route a require kernel {
  per_try 1s
  retry none
  when claim "d" "e" has "f" and header "x" has "a" -> a
  when sni is "a" -> redirect 301 host "h"
  when grpc "a.B/C" -> b
  when path is "/" -> a { per_try 1s retry gentle upgrade websocket require kernel rewrite path "/a" to "/b"
                          set header "n" "v" add response header "n" identity remove header "x" mirror a 5% fault abort 503 1%
                          fault delay 2s 10% cors { origins ["x"] credentials max_age 1h } }
  otherwise -> respond 200 "x" type "text/plain"
}
access a { allow from admin via [web] when from web via web  audit deny from any }
access b audit { allow from web }
access every http service { deny from any }
limit l on a { when path is "/" rate 100/s burst 20 key header "x", identity scope mesh }
assert "x" { on every service when method is GET : allowed only from admin via web  on a : denied  on a : routed only to a }
extern geo from "geo.bpf.c"
test "t" {
  send GET "/" to a from web via web with claim "a" "b"
  expect limited, retries 2, tier kernel, path "/", host "h", response header "a" absent, mirror a
}
)");
  const std::string page = read_reference();
  const std::string list = page.substr(page.find("## Not built yet"));
  std::size_t unsupported = 0;
  for (const auto& diagnostic : checked.sink.sorted(checked.sources)) {
    if (std::string(diagnostic.kind->name) != "not_supported") {
      EXPECT_STRNE(diagnostic.kind->name, "syntax") << diagnostic.message;
      continue;
    }
    ++unsupported;
  }
  EXPECT_EQ(unsupported, 34u);
  for (const char* word :
       {"amplification", "jwt",          "via",    "http2",
        "mtls",  "claim",         "sni",          "grpc",
        "split by address", "timeout", "per_try",       "retry",        "scope mesh",
        "assert",   "user",    "tier", "mirror"}) {
    EXPECT_NE(list.find(word), std::string::npos) << word;
  }
}

}  // namespace
}  // namespace heddle::frontend
