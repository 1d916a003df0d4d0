#include "compiler/eval/answer.h"

#include <gtest/gtest.h>

#include "compiler/eval/draw.h"
#include "compiler/eval/framing.h"
#include "tests/unit/eval/policy.h"
#include "tests/unit/locations.h"

namespace heddle::eval {
namespace {

std::string located(const LocationRow& row) {
  const std::string host = row.asked == nullptr ? "" : "Host: " + std::string(row.asked) + "\r\n";
  const std::string text =
      "GET " + std::string(row.target) + (row.asked == nullptr ? " HTTP/1.0\r\n" : " HTTP/1.1\r\na: b\r\n") + host + "\r\n";
  Refusal refusal;
  auto head = read_head(text, {}, refusal);
  if (!head || check_framing(*head, {})) return "refused: " + refusal.why;
  return location({row.https, row.host, row.port, row.path, row.prefix}, *head, address("10.96.0.12", 9080));
}

TEST(Location, OfEveryKindOfRequest) {
  for (const LocationRow& row : location_rows) EXPECT_EQ(located(row), row.location) << row.target;
}

TEST(Location, OfAnAddressOfIpv6) {
  Refusal refusal;
  const auto head = read_head("GET /a HTTP/1.0\r\n\r\n", {}, refusal);
  ASSERT_TRUE(head);
  model::Redirect redirect;
  redirect.path = "/x";
  EXPECT_EQ(location(redirect, *head, address("fd00::12", 80)), "http://[fd00::12]/x");
  EXPECT_EQ(location(redirect, *head, address("fd00::12", 81)), "http://[fd00::12]:81/x");
}

constexpr char shop[] = R"(
mesh m { trust_domain "t" }
identity web = spiffe "web"
service s {
  address   10.0.0.1:80
  protocol  http
  transport plaintext
  subset v1 where version is "v1"
  endpoint  10.1.0.1:80 { version "v1" }
}
route s {
  timeout 2s
  when path is "/json"    -> respond 200 "{}" type "application/json"
  when path is "/empty"   -> respond 200
  when path under "/a"    -> redirect 307 scheme "https" prefix "/a" to "/b"
  when path is "/split"   -> split { 50% v1, 30% respond 418 "teapot", 20% redirect 302 host "h" }
  otherwise               -> v1
}
access s { allow from web }
)";

struct Answers : testing::Test {
  Policy policy{shop};
  Evaluator evaluator{policy.model};

  Outcome decide(const std::string& target, std::uint64_t draw = 0) {
    Request request;
    request.spiffe = "spiffe://t/web";
    request.destination = address("10.0.0.1", 80);
    request.head = "GET " + target + " HTTP/1.1\r\nHost: s:8080\r\n\r\n";
    request.draw = draw;
    return evaluator.decide(request);
  }
};

TEST_F(Answers, Types) {
  EXPECT_EQ(decide("/json").headers, (std::map<std::string, std::string>{{"content-type", "application/json"}}));
  EXPECT_TRUE(decide("/empty").headers.empty());
  EXPECT_EQ(decide("//").headers, (std::map<std::string, std::string>{{"content-type", model::plain_text}}));
  EXPECT_TRUE(decide("/").headers.empty()) << "what a server answers is not known";
}

TEST_F(Answers, Redirect) {
  const Outcome outcome = decide("/a/x?q");
  EXPECT_EQ(outcome.verdict, Verdict::respond);
  EXPECT_EQ(outcome.status, 307);
  EXPECT_EQ(outcome.rule, "route s/3");
  EXPECT_EQ(outcome.body, "");
  EXPECT_EQ(outcome.timeout_ms, 0u);
  EXPECT_EQ(outcome.headers, (std::map<std::string, std::string>{{"location", "https://s/b/x?q"}}));
}

TEST_F(Answers, AsPartsOfASplit) {
  const auto of_share = [&](std::uint32_t share) { return decide("/split", draw_for(share, "route s/4")); };
  EXPECT_EQ(of_share(499'999).verdict, Verdict::forward);
  EXPECT_EQ(of_share(499'999).timeout_ms, 2000u);
  EXPECT_EQ(of_share(500'000).status, 418);
  EXPECT_EQ(of_share(500'000).timeout_ms, 0u);
  EXPECT_FALSE(of_share(500'000).pool);
  EXPECT_EQ(of_share(799'999).body, "teapot");
  EXPECT_EQ(of_share(800'000).status, 302);
  EXPECT_EQ(of_share(999'999).headers.at("location"), "http://h/split");
  EXPECT_EQ(of_share(999'999).rule, "route s/4");
}

}  // namespace
}  // namespace heddle::eval
