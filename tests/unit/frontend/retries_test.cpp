// Tries: what fits into a timeout, and what one request comes to over all services that call each other.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "compiler/plan/describe_model.h"
#include "tests/unit/frontend/checked.h"

namespace heddle::frontend {
namespace {

/// Services in a row, each called by the one before it; `tries` of each is a digit.
std::string chain(const std::string& tries, const std::string& mesh = "", bool closed = false) {
  std::string text = "mesh m { trust_domain \"t\" " + mesh + " }\nidentity outside = spiffe \"outside\"\n";
  for (std::size_t i = 0; i < tries.size(); ++i) {
    const std::string n = std::to_string(i);
    const std::string before = i > 0 ? "i" + std::to_string(i - 1) : closed ? "i" + std::to_string(tries.size() - 1) : "outside";
    const std::string after = tries[i] > '1' ? "retry r" + n : "retry none";
    text += "identity i" + n + " = spiffe \"ns/" + n + "\"\n";
    text += "service s" + n + " { address 10.0.0." + std::to_string(i + 1) + ":80  protocol http  transport plaintext  identity i" + n + " }\n";
    text += "access s" + n + " { allow from " + before + " }\n";
    text += "route s" + n + " { " + after + "  otherwise -> s" + n + " }\n";
    if (tries[i] > '1')
      text += "retry r" + n + " { on reset  at_most " + std::string(1, static_cast<char>(tries[i] - 1)) + " retries  budget 20% of requests }\n";
  }
  return text;
}

std::string complaint(const std::string& text) {
  const Checked checked = check(text);
  return checked.messages().empty() ? "" : checked.messages().front();
}

TEST(Amplification, IsTheProductAlongAChain) {
  EXPECT_EQ(complaint(chain("133")), "");
  EXPECT_EQ(complaint(chain("33")), "");
  EXPECT_EQ(complaint(chain("331")), "");
  EXPECT_EQ(complaint(chain("352")),
            "one request may come to 30 tries, and at most 9 are allowed: s0 (3 tries) -> s1 (5 tries) -> s2 (2 tries)");
  EXPECT_EQ(complaint(chain("252")),
            "one request may come to 20 tries, and at most 9 are allowed: s0 (2 tries) -> s1 (5 tries) -> s2 (2 tries)");
  EXPECT_EQ(complaint(chain("152", "amplification at_most 10")), "");
  EXPECT_NE(complaint(chain("152", "amplification at_most 9")), "");
}

TEST(Amplification, FindsWhoeverGoesRound) {
  EXPECT_EQ(complaint(chain("111", "", true)), "");
  EXPECT_EQ(complaint(chain("121", "", true)), "requests that go round are tried again each time: s1 (2 tries) -> s2 -> s0 -> s1 (2 tries)");
  EXPECT_EQ(complaint(chain("2", "", true)), "requests that go round are tried again each time: s0 (2 tries) -> s0 (2 tries)");
}

TEST(Amplification, BehindARoundWithoutRetries) {
  const std::string text = chain("111", "", true) + R"(
service behind { address 10.0.1.1:80  protocol http  transport plaintext }
access behind { allow from i1 }
retry often { on reset  at_most 9 retries  budget 20% of requests }
route behind { retry often  otherwise -> behind }
)";
  EXPECT_EQ(complaint(text), "one request may come to 10 tries, and at most 9 are allowed: behind (10 tries)");
}

TEST(Amplification, OfPatternsAndGroups) {
  const auto with_caller = [](const std::string& identity) {
    return chain("5") + identity + R"(
service behind { address 10.0.1.1:80  protocol http  transport plaintext }
access behind { allow from callers }
retry twice { on reset  at_most 1 retries  budget 20% of requests }
route behind { retry twice  otherwise -> behind }
)";
  };
  for (const char* meets : {"identity callers = spiffe \"ns/*\"", "identity callers = spiffe \"*s/0\"", "identity callers = outside or i0"})
    EXPECT_NE(complaint(with_caller(meets)), "") << meets;
  for (const char* misses : {"identity callers = spiffe \"*\"", "identity callers = spiffe \"ns/1*\"", "identity callers = outside or outside"})
    EXPECT_EQ(complaint(with_caller(misses)), "") << misses;
}

TEST(Amplification, OfManyServicesInARow) {
  std::string row(200, '1');
  row.front() = '4';
  row.back() = '3';
  EXPECT_TRUE(complaint(chain(row)).starts_with("one request may come to 12 tries, and at most 9 are allowed: s0 (4 tries) -> s1 -> s2"));
}

std::string tries(const std::string& times, const std::string& timeout) {
  return complaint(base + "retry r { on reset  at_most 2 retries  " + times + "  budget 20% of requests }\nroute cart { timeout " + timeout +
                   "  retry r  otherwise -> v1 }");
}

TEST(Amplification, OfWhatIsSaidInConditions) {
  const auto with_access = [](const std::string& access) {
    return chain("5") + "service behind { address 10.0.1.1:80  protocol http  transport plaintext }\n" + access +
           "\nretry twice { on reset  at_most 1 retries  budget 20% of requests }\nroute behind { retry twice  otherwise -> behind }\n";
  };
  EXPECT_NE(complaint(with_access("access behind { allow from any when from i0 }")), "");
  EXPECT_NE(complaint(with_access("access behind audit { allow from i0 }")), "");
  EXPECT_EQ(complaint(with_access("access behind { allow from any when not from i0 }")), "");
}

/// Patterns that a search with steps back would try for ages.
TEST(Amplification, OfManyStars) {
  std::string stars;
  for (int i = 0; i < 40; ++i) stars += "*a";
  EXPECT_EQ(complaint("mesh m { trust_domain \"t\" }\nidentity p = spiffe \"" + stars + "*b\"\nidentity q = spiffe \"" + stars +
                      "*c\"\nservice s { address 10.0.0.1:80  protocol http  transport plaintext  identity p }\naccess s { allow from q }\n"
                      "retry r { on reset  at_most 1 retries  budget 20% of requests }\nroute s { retry r  otherwise -> s }\n"),
            "");
}

TEST(Options, ThatSayNothingAreErrors) {
  const std::string retry = "retry r { on reset  at_most 2 retries  budget 20% of requests }\n";
  const std::string user = "identity admin = jwt issuer \"i\" audience \"a\" jwks \"k\"\n";
  const std::vector<std::string> wrong = {
           retry + "route cart { retry nosuch  otherwise -> respond 200 \"x\" }",
           std::string("route cache { otherwise -> split { 50% cache { label \"a\" }, 50% cache { label \"b\" } } }"),
           std::string("route cart { when path under \"/a\" -> split { 50% v1 { rewrite path \"/a\" to \"/b\" }, 50% v2 } { rewrite path to \"/\" }  otherwise -> v1 }"),
           std::string("route cart { otherwise -> v1 { rewrite path to \"/a/{x}\" } }"),
           std::string("route cart { otherwise -> v1 { set response header \"x-heddle-rule\" \"z\" } }"),
           std::string("route cart { otherwise -> v1 { cors { origins [\"1://a\"] } } }"),
           std::string("route cart { otherwise -> v1 { cors { origins [\"https://a:0443\"] } } }"),
           std::string("route cart { otherwise -> v1 { cors { origins [\"https://a\"]  headers [\"*\"]  credentials } } }"),
           std::string("identity x = jwt issuer \"i\" audience \"a\" jwks \"keys/..\""),
           user + "access cache audit { allow from admin }",
           user + "access every service { deny from admin }",
           user + "test \"t\" { connect to cache from admin  expect denied }",
           user + "test \"t\" { send GET \"/\" to cart from admin with claim \"iss\" \"x\"  expect denied }",
           user + "test \"t\" { send GET \"/\" to cart from admin with claim \"a\" \"x\" with claim \"a\" \"b\" \"x\"  expect denied }",
           std::string("test \"t\" { send GET \"/\" to cart  expect denied, header \"\" absent }"),
           "retry long { on reset  at_most 2 retries  backoff 10s..10s  budget 1% of requests }\nroute cart { timeout 100ms  retry long  otherwise -> v1 }",
  };
  for (const std::string& text : wrong)
    EXPECT_NE(complaint(base + text), "") << text;
  EXPECT_EQ(complaint(base + "route cart { otherwise -> v1 { rewrite path like \"/**\" to \"/b/**\" } }"), "");
}

TEST(Tries, FitIntoTheTimeout) {
  EXPECT_EQ(tries("per_try 250ms", "750ms"), "");
  EXPECT_NE(tries("per_try 250ms", "749ms"), "");
  // Two waits, of 25 and 50.
  EXPECT_EQ(tries("per_try 250ms  backoff 25ms..1s", "825ms"), "");
  EXPECT_NE(tries("per_try 250ms  backoff 25ms..1s", "824ms"), "");
  EXPECT_EQ(tries("per_try 250ms  backoff 25ms..30ms", "805ms"), "");
  EXPECT_NE(tries("per_try 250ms  backoff 25ms..30ms", "804ms"), "");
  EXPECT_EQ(tries("", "1ms"), "");
  EXPECT_EQ(tries("per_try 250ms", "none"), "");
}

TEST(Model, ShowsAllThatARuleAdds) {
  const Checked checked = check(base + R"(
identity admin = jwt issuer "i" audience "a" jwks "k" where claim "roles" has "admin"
retry r { on reset, status 502..504, grpc unavailable  at_most 2 retries  per_try 1s  backoff 1ms..2ms  budget 20% of requests at_least 3/s  methods any  buffer 1KiB }
access cart audit { allow from admin via [web] }
route cart {
  when path under "/a" -> v1 { retry r  rewrite path "/a" to "/b"  set header "x" claim "a" "b"  add response header "y" identity  mirror v2 5%
                               fault delay 1s 1%  cors { origins ["https://x", /a.*/]  credentials  max_age 1h } }
  otherwise -> split { 50% v1 { remove header "z" }, 50% v2 }
}
)");
  ASSERT_TRUE(checked.policy) << checked.messages().front();
  const std::string model = plan::describe_model(*checked.policy);
  for (const char* part :
       {"jwt i a k where claim \"roles\"", "retry r: at_most 2 on reset status 502..504 grpc 14 per_try 1000ms backoff 1ms..2ms budget 20.0000% at_least 3 in "
                           "1000000000ns methods any buffer 1024",
        "via web(spiffe://", "rewrite path \"/a\" to \"/b\"", "set header \"x\" claim \"a\" \"b\"", "add response header \"y\" identity",
        "mirror cart.v2 5.0000%", "fault delay 1000ms 1.0000%", "origins [\"https://x\"] patterns [\"a.*\"] credentials max_age 3600s",
        "50.0000% cart.v1 { remove header \"z\" }"})
    EXPECT_NE(model.find(part), std::string::npos) << part << "\n" << model;
}

}  // namespace
}  // namespace heddle::frontend
