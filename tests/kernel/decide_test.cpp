#include <gtest/gtest.h>

#include <map>
#include <string>

#include "tests/kernel/compiled.h"

/// The syscall entry of compiled policies, request by request: hit, miss, negated, truncated, over-long.
namespace heddle {
namespace {

using model::Attribute;
using model::Condition;
using model::Operator;

Condition test(Attribute attribute, Operator op, std::string literal, std::string name = "") {
  Condition out;
  out.test.attribute = attribute;
  out.test.op = op;
  out.test.literal = std::move(literal);
  out.test.name = std::move(name);
  return out;
}

Condition combine(Condition::Kind kind, std::vector<Condition> children) {
  Condition out;
  out.kind = kind;
  out.children = std::move(children);
  return out;
}

Condition operator!(Condition c) {
  return combine(Condition::Kind::negation, {std::move(c)});
}

Condition holder(model::IdentityId id) {
  Condition out = test(Attribute::from, Operator::is, "");
  out.test.callers = {model::Callers::Kind::identities, {id}};
  return out;
}

/// Identities web, batch (`ns/batch-*`); workloads web, batch-7; http service `s` with subsets a and b.
model::Policy policy() {
  model::Policy p;
  p.name = "shop";
  p.trust_domain = "shop.example";
  const auto identity = [&p](const char* name, const char* path) {
    model::Identity i;
    i.name = name;
    i.patterns.push_back({"shop.example", path, {}});
    p.identities.push_back(i);
  };
  identity("batch", "ns/batch-*");
  identity("seven", "ns/batch-7");
  identity("web", "ns/web");
  p.workloads.push_back({"seven", "seven", 1, "", {}});
  p.workloads.push_back({"web", "web", 2, "", {}});
  model::Service s;
  s.name = "s";
  s.addresses = {test::address("10.96.0.1", 80), test::address("fd00::1", 80)};
  s.endpoints = {{test::address("10.0.0.1", 8080), {}, {}}, {test::address("fd00::2", 8080), {}, {}}};
  s.subsets = {{"a", {}, {0}, {}}, {"b", {}, {1}, {}}};
  p.services.push_back(s);
  return p;
}

void allow_all(model::Service& s) {
  s.access.emplace();
  s.access->rules.push_back({"access s/1", model::Effect::allow, {}, std::nullopt, {}});
}

model::Target pool(std::uint32_t subset) {
  model::Target t;
  t.pool.subset = subset;
  return t;
}

/// `when <condition> -> a  otherwise -> b`.
model::Policy routed(Condition when) {
  model::Policy p = policy();
  model::Service& s = p.services[0];
  allow_all(s);
  s.route.emplace();
  s.route->rules.push_back({"route s/1", std::move(when), pool(0), {}});
  s.route->rules.push_back({"route s/otherwise", std::nullopt, pool(1), {}});
  return p;
}

std::string get(const std::string& target, const std::string& headers = "") {
  return "GET " + target + " HTTP/1.1\r\nHost: s\r\n" + headers + "\r\n";
}

class Decided {
 public:
  explicit Decided(const model::Policy& p, const plan::CodeBounds& bounds = {}) : session_(test::load(p, bounds)) {}

  hd_decision operator()(const std::string& head, std::optional<std::uint32_t> workload = 1) {
    loader::DecideInput input;
    input.workload = workload;
    input.destination = test::dialled(test::address("10.96.0.1", 80));
    input.head = head;
    return one(input);
  }
  hd_decision one(const loader::DecideInput& input) {
    auto decisions = session_->decide(std::span(&input, 1));
    EXPECT_TRUE(decisions.ok()) << decisions.error().what;
    return decisions->at(0);
  }
  std::string rule(const std::string& head, std::optional<std::uint32_t> workload = 1) {
    return session_->rule_id((*this)(head, workload).rule);
  }
  loader::DecideSession& session() { return *session_; }

 private:
  std::unique_ptr<loader::DecideSession> session_;
};

constexpr const char* hit = "route s/1";
constexpr const char* miss = "route s/otherwise";

TEST(Decide, PathIs) {
  Decided decided(routed(test(Attribute::path, Operator::is, "/a/b")));
  EXPECT_EQ(decided.rule(get("/a/b")), hit);
  EXPECT_EQ(decided.rule(get("/a/b?x=/a/b")), hit);
  EXPECT_EQ(decided.rule(get("/a")), miss);
  EXPECT_EQ(decided.rule(get("/a/bc")), miss);
  EXPECT_EQ(decided.rule(get("/?/a/b")), miss);
}

TEST(Decide, PathUnderMeansWholeSegments) {
  Decided decided(routed(test(Attribute::path, Operator::under, "/a")));
  for (const char* target : {"/a", "/a/", "/a/b", "/a?x", "/a/b/c/d"})
    EXPECT_EQ(decided.rule(get(target)), hit) << target;
  for (const char* target : {"/", "/ab", "/b/a", "/b?/a"})
    EXPECT_EQ(decided.rule(get(target)), miss) << target;
}

TEST(Decide, PathStartsMeansBytes) {
  Decided decided(routed(test(Attribute::path, Operator::starts, "/a")));
  EXPECT_EQ(decided.rule(get("/ab")), hit);
  EXPECT_EQ(decided.rule(get("/b")), miss);
}

TEST(Decide, EscapesCompareInEitherCase) {
  Decided decided(routed(test(Attribute::path, Operator::is, "/%c3%A4")));
  EXPECT_EQ(decided.rule(get("/%C3%a4")), hit);
  EXPECT_EQ(decided.rule(get("/%C3%a5")), miss);
}

TEST(Decide, Method) {
  Decided decided(routed(test(Attribute::method, Operator::is, "POST")));
  EXPECT_EQ(decided.rule("POST / HTTP/1.1\r\nHost: s\r\n\r\n"), hit);
  EXPECT_EQ(decided.rule("POS / HTTP/1.1\r\nHost: s\r\n\r\n"), miss);
  EXPECT_EQ(decided.rule("POSTS / HTTP/1.1\r\nHost: s\r\n\r\n"), miss);
}

TEST(Decide, HostWithoutPortAndCase) {
  Decided is(routed(test(Attribute::host, Operator::is, "s.example")));
  EXPECT_EQ(is.rule("GET / HTTP/1.1\r\nHOST:  S.Example:8080 \r\n\r\n"), hit);
  EXPECT_EQ(is.rule("GET / HTTP/1.1\r\nhost:a.s.example\r\n\r\n"), miss);
  Decided under(routed(test(Attribute::host, Operator::under, "s.example")));
  for (const char* host : {"s.example", "a.s.example", "a.b.S.example:1"}) {
    EXPECT_EQ(under.rule("GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n"), hit) << host;
  }
  for (const char* host : {"as.example", "s.example.org", "example"}) {
    EXPECT_EQ(under.rule("GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n"), miss) << host;
  }
}

TEST(Decide, HeaderValueWithoutBlanks) {
  Decided decided(routed(test(Attribute::header, Operator::is, "a b", "x-user")));
  EXPECT_EQ(decided.rule(get("/", "X-User: \t a b \t\r\n")), hit);
  EXPECT_EQ(decided.rule(get("/", "x-user:a b\r\nx-userx: c\r\nx-use: d\r\n")), hit);
  EXPECT_EQ(decided.rule(get("/", "x-user: a  b\r\n")), miss);
  EXPECT_EQ(decided.rule(get("/", "x-user: A b\r\n")), miss);
  EXPECT_EQ(decided.rule(get("/", "x-user:\r\n")), miss);
  EXPECT_EQ(decided.rule(get("/")), miss);
  EXPECT_EQ(decided.rule(get("/", "x-user: a b\r\nX-USER: a b\r\n")), "mesh/malformed");
  EXPECT_EQ(decided.rule(get("/", "connection: close, X-user\r\n")), "mesh/malformed");
  EXPECT_EQ(decided.rule(get("/", "connection: close, x-users\r\n")), miss);
}

TEST(Decide, PresentAbsentMayRepeat) {
  Decided decided(routed(test(Attribute::header, Operator::present, "", "x-user")));
  EXPECT_EQ(decided.rule(get("/", "x-user:\r\n")), hit);
  EXPECT_EQ(decided.rule(get("/", "x-user: 1\r\nx-user: 2\r\n")), hit);
  EXPECT_EQ(decided.rule(get("/", "x-use: 1\r\n")), miss);
  Decided absent(routed(test(Attribute::header, Operator::absent, "", "x-user")));
  EXPECT_EQ(absent.rule(get("/", "x-user:\r\n")), miss);
  EXPECT_EQ(absent.rule(get("/")), hit);
}

TEST(Decide, NegationOfAnAbsentValueIsTrue) {
  Decided decided(routed(!test(Attribute::header, Operator::is, "1", "x-user")));
  EXPECT_EQ(decided.rule(get("/")), hit);
  EXPECT_EQ(decided.rule(get("/", "x-user: 2\r\n")), hit);
  EXPECT_EQ(decided.rule(get("/", "x-user: 1\r\n")), miss);
}

TEST(Decide, AndOrNot) {
  using Kind = Condition::Kind;
  const Condition path = test(Attribute::path, Operator::under, "/a");
  const Condition user = test(Attribute::header, Operator::is, "j", "u");
  const Condition post = test(Attribute::method, Operator::is, "POST");
  Decided decided(routed(combine(Kind::all, {path, combine(Kind::any, {user, !post})})));
  EXPECT_EQ(decided.rule(get("/a")), hit);
  EXPECT_EQ(decided.rule("POST /a HTTP/1.1\r\nHost: s\r\n\r\n"), miss);
  EXPECT_EQ(decided.rule("POST /a HTTP/1.1\r\nHost: s\r\nu: j\r\n\r\n"), hit);
  EXPECT_EQ(decided.rule(get("/b", "u: j\r\n")), miss);
}

TEST(Decide, CallersHoldSeveralIdentities) {
  Decided batch(routed(holder(0)));
  EXPECT_EQ(batch.rule(get("/"), 0), hit);
  EXPECT_EQ(batch.rule(get("/"), 1), miss);
  EXPECT_EQ(batch.rule(get("/"), std::nullopt), miss);
  Decided seven(routed(holder(1)));
  EXPECT_EQ(seven.rule(get("/"), 0), hit);
}

TEST(Decide, DenyBeatsAllowAndNothingIsAllowedByItself) {
  model::Policy p = policy();
  Decided closed(p);
  EXPECT_EQ(closed.rule(get("/")), "access s/default");
  EXPECT_EQ(closed(get("/")).verdict, HD_VERDICT_DENY);
  allow_all(p.services[0]);
  p.services[0].access->rules.push_back(
      {"access s/2", model::Effect::deny, {model::Callers::Kind::unauthenticated, {}}, std::nullopt, {}});
  Decided decided(p);
  EXPECT_EQ(decided.rule(get("/"), std::nullopt), "access s/2");
  EXPECT_EQ(decided.rule(get("/"), 1), "route s/otherwise");
  EXPECT_EQ(decided(get("/"), std::nullopt).status, 403);
}

TEST(Decide, FormIsRefusedByItsName) {
  Decided decided(routed(test(Attribute::path, Operator::is, "/x")));
  for (const char* target : {"//", "/.", "/..", "/a/./b", "/a/../b", "/a\\b", "/;", "/%2F", "/%5c", "/%00",
                             "/%41", "/%7e", "/%", "/%4", "/%g0", "/a#b", "/?%2f", "/?#"}) {
    EXPECT_EQ(decided.rule(get(target)), "mesh/path") << target;
    EXPECT_EQ(decided(get(target)).status, 400);
  }
  for (const char* target :
       {"/...", "/.a", "/..a", "/a.", "/%20", "/%C3%A4", "/?//..;", "/?", "/?a?b", "/a:@!$&'()*+,="}) {
    EXPECT_EQ(decided.rule(get(target)), miss) << target;
  }
  for (const char* head : {"GET  / HTTP/1.1\r\nHost: s\r\n\r\n", "get / HTTP/1.1\r\nHost: s\r\n\r\n",
                           "GET / HTTP/1.2\r\nHost: s\r\n\r\n", "GET / HTTP/1.1\nHost: s\r\n\r\n",
                           "GET / HTTP/1.1\r\nHost: s\r\nHost: s\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
                           "GET / HTTP/1.1\r\nHost : s\r\n\r\n", "GET / HTTP/1.1\r\nHost: s\r\n a: b\r\n\r\n",
                           "GET / HTTP/1.1\r\nHost: u@s\r\n\r\n", "GET / HTTP/1.1\r\nHost: s.\r\n\r\n",
                           "GET / HTTP/1.1\r\nHost:\r\n\r\n", "GET / HTTP/1.1\r\nHost: s:\r\n\r\n",
                           "GET / HTTP/1.1\r\nHost: s:123456\r\n\r\n", "GET * HTTP/1.1\r\nHost: s\r\n\r\n",
                           "GET / HTTP/1.1\r\nHost: s\r\nx: a\x01\r\n\r\n",
                           "GET / HTTP/1.1\r\nHost: s\r\n\r\nx", "GET / HTTP/1.1\r\nHost: s\r\n"}) {
    EXPECT_EQ(decided.rule(head), "mesh/malformed") << head;
  }
  EXPECT_EQ(decided.rule("GET / HTTP/1.0\r\n\r\n"), miss);
  EXPECT_EQ(decided("CONNECT s:80 HTTP/1.1\r\nHost: s\r\n\r\n").status, 405);
  EXPECT_EQ(decided.rule("CONNECTX / HTTP/1.1\r\nHost: s\r\n\r\n"), miss);
  EXPECT_EQ(decided(get("/" + std::string(HD_TARGET_MAX, 'a'))).status, 414);
  EXPECT_EQ(decided.rule(get("/" + std::string(HD_TARGET_MAX - 1, 'a'))), miss);
}

/// A value that nobody asks for is passed over eight bytes at a time: not past its end, wherever pages begin.
TEST(Decide, ALineThatEndsWhereAPageBeginsHidesNothing) {
  Decided decided(routed(test(Attribute::header, Operator::is, "v", "x-asked")));
  for (std::size_t path = 0; path < 8; ++path) {
    for (std::size_t size = HD_PAGE_SIZE - 80; size < HD_PAGE_SIZE + 8; ++size) {
      const std::string lines = "pad: " + std::string(size, 'p') + "\r\nx-asked: v\r\n";
      ASSERT_EQ(decided.rule(get("/" + std::string(path, 'a'), lines)), hit) << path << " " << size;
    }
  }
}

/// Rules that have nothing to do with a request are passed in runs: each rule is found all the same, wherever it stands, and
/// those that need nothing of the request end a run.
void expect_each_rule_of_a_long_chain(const plan::CodeBounds& bounds) {
  constexpr int count = 150;
  model::Policy p = routed(test(Attribute::path, Operator::is, "/first"));
  model::Service& s = p.services[0];
  const model::Target target = s.route->rules[0].target;
  s.route->rules.clear();
  const auto name = [](int n) { return "route s/" + std::to_string(n); };
  const auto value = [](const char* prefix, int n) { return prefix + std::to_string(n); };
  for (int n = 0; n < count; ++n) {
    const Condition path = test(Attribute::path, Operator::under, value("/a", n));
    const Condition host = test(Attribute::host, Operator::is, value("h", n) + ".example");
    const Condition header = test(Attribute::header, Operator::is, value("v", n), "x-v");
    const Condition method = test(Attribute::method, Operator::is, "POST");
    const std::vector<Condition> shapes = {path, combine(Condition::Kind::all, {!method, host}),
                                           combine(Condition::Kind::any, {host, header}),
                                           combine(Condition::Kind::all, {holder(2), header})};
    s.route->rules.push_back({name(n), n == 70 ? !test(Attribute::header, Operator::absent, "", "x-free") : shapes[n % 4], target, {}});
  }
  s.route->rules.push_back({miss, std::nullopt, target, {}});
  Decided decided(p, bounds);
  for (int n = 0; n < count; ++n) {
    const std::string host = value("h", n) + ".example";
    const std::string line = "x-v: " + value("v", n) + "\r\n";
    const std::string of_path = "GET " + value("/a", n) + " HTTP/1.1\r\nhost: s\r\n\r\n";
    const std::string of_host = "GET / HTTP/1.1\r\nhost: " + host + "\r\n\r\n";
    const std::string heads[] = {of_path, of_host, n % 8 == 2 ? of_host : get("/", line), get("/", line)};
    if (n != 70) {
      ASSERT_EQ(decided.rule(heads[n % 4]), name(n));
    }
  }
  EXPECT_EQ(decided.rule(get("/a149", "x-free: 1\r\n")), name(70));
  EXPECT_EQ(decided.rule(get("/a4", "x-free: 1\r\n")), name(4));
  EXPECT_EQ(decided.rule(get("/a150")), miss);
}

TEST(Decide, EachRuleOfALongChainIsFound) {
  expect_each_rule_of_a_long_chain({.rules = 1000});
}

TEST(Decide, EachRuleOfALongTableIsFound) {
  expect_each_rule_of_a_long_chain({.rules = 0});
}

/// Every prefix of a head is no head, and a head that fills its pages is read to the end.
TEST(Decide, TruncatedAndOverLong) {
  Decided decided(routed(test(Attribute::header, Operator::is, std::string(5000, 'v'), "x-long")));
  const std::string head = get("/a?b=c", "x-long: " + std::string(5000, 'v') + "\r\n");
  EXPECT_EQ(decided.rule(head), hit);
  for (std::size_t size = 0; size < 60; ++size)
    EXPECT_EQ(decided.rule(head.substr(0, size)), "mesh/malformed") << size;
  EXPECT_EQ(decided.rule(get("/", "x-long: " + std::string(5001, 'v') + "\r\n")), miss);
  EXPECT_EQ(decided.rule(get("/", "x-long: " + std::string(4999, 'v') + "\r\n")), miss);
  std::string largest = get("/", "x-long: " + std::string(5000, 'v') + "\r\npad: \r\n");
  largest.insert(largest.size() - 4, std::string(HD_HEAD_MAX - largest.size(), 'p'));
  ASSERT_EQ(largest.size(), HD_HEAD_MAX);
  EXPECT_EQ(decided.rule(largest), hit);
}

TEST(Decide, SplitsFollowThePinnedHash) {
  model::Policy p = routed(test(Attribute::path, Operator::is, "/x"));
  model::Target split;
  split.kind = model::Target::Kind::split;
  split.split = {{900000, {0, 0}}, {100000, {0, 1}}};
  p.services[0].route->rules[1].target = split;
  Decided decided(p);
  std::map<std::uint32_t, int> seen;
  for (int i = 0; i < 2000; ++i) ++seen[decided(get("/")).pool];
  EXPECT_GT(seen[1], 1700);
  EXPECT_GT(seen[2], 100);
  EXPECT_EQ(seen[1] + seen[2], 2000);
  loader::DecideInput input;
  input.workload = 1;
  input.destination = test::dialled(test::address("fd00::1", 80));
  const std::string head = get("/");
  input.head = head;
  input.draw = 42;
  const std::uint32_t first = decided.one(input).pool;
  for (int i = 0; i < 20; ++i) EXPECT_EQ(decided.one(input).pool, first);
}

TEST(Decide, RoundRobinAndHealth) {
  model::Policy p = policy();
  allow_all(p.services[0]);
  Decided decided(p);
  const std::uint32_t first = decided(get("/")).endpoint;
  EXPECT_NE(decided(get("/")).endpoint, first);
  EXPECT_EQ(decided(get("/")).endpoint, first);
  decided.session().set_unhealthy(first, true);
  for (int i = 0; i < 4; ++i) EXPECT_NE(decided(get("/")).endpoint, first);
  decided.session().set_unhealthy(1 - first, true);
  EXPECT_EQ(decided.rule(get("/")), "service s/unhealthy");
  EXPECT_EQ(decided(get("/")).status, 503);
}

TEST(Decide, DestinationsOfNoServiceAndOfOneEndpoint) {
  model::Policy p = routed(test(Attribute::path, Operator::is, "/"));
  Decided decided(p);
  loader::DecideInput input;
  input.workload = 1;
  const std::string head = get("/");
  input.head = head;
  input.destination = test::dialled(test::address("10.9.9.9", 80));
  EXPECT_EQ(decided.one(input).verdict, HD_VERDICT_OUTSIDE);
  input.destination = test::dialled(test::address("fd00::2", 8080));
  const hd_decision direct = decided.one(input);
  EXPECT_EQ(direct.verdict, HD_VERDICT_FORWARD);
  EXPECT_EQ(direct.endpoint, 1U);
  EXPECT_EQ(decided.session().rule_id(direct.rule), "access s/1");
}

/// Each side knows a protocol by another enum.
const std::map<hd_protocol, model::Protocol> protocols = {
    {HD_PROTOCOL_HTTP, model::Protocol::http}, {HD_PROTOCOL_TCP, model::Protocol::tcp}, {HD_PROTOCOL_TLS, model::Protocol::tls}};

TEST(Decide, WhatWasDialledAsSomethingElseIsRefused) {
  for (const auto& [spoken, protocol] : protocols) {
    model::Policy p = policy();
    p.services[0].protocol = protocol;
    allow_all(p.services[0]);
    Decided decided(p);
    for (const auto& [dialled, unused] : protocols) {
      loader::DecideInput input;
      input.workload = 1;
      input.destination = test::dialled(test::address("10.96.0.1", 80));
      input.protocol = dialled;
      const std::string head = get("/");
      if (dialled == HD_PROTOCOL_HTTP) input.head = head;
      const hd_decision decision = decided.one(input);
      const bool same = dialled == spoken;
      EXPECT_EQ(decision.verdict, same ? HD_VERDICT_FORWARD : HD_VERDICT_REFUSE) << dialled << " " << spoken;
      EXPECT_EQ(decided.session().rule_id(decision.rule), same ? "route s/otherwise" : "mesh/malformed") << dialled << " " << spoken;
    }
  }
}

/// Who passes a connection on tells of its end, so it is on its way as soon as it is decided.
TEST(Decide, ATcpConnectionThatIsPassedOnIsCounted) {
  model::Policy p = policy();
  p.services[0].protocol = model::Protocol::tcp;
  p.services[0].at_most = {2, 0};
  allow_all(p.services[0]);
  Decided decided(p);
  loader::DecideInput input;
  input.workload = 1;
  input.destination = test::dialled(test::address("10.96.0.1", 80));
  input.protocol = HD_PROTOCOL_TCP;
  for (int i = 0; i < 4; ++i) EXPECT_EQ(decided.one(input).verdict, HD_VERDICT_FORWARD);
  EXPECT_EQ(decided.session().endpoint_state(0).in_flight + decided.session().endpoint_state(1).in_flight, 4u);
  EXPECT_EQ(decided.one(input).verdict, HD_VERDICT_FULL);
}

TEST(Decide, CountsAndOneCallForARound) {
  Decided decided(routed(test(Attribute::path, Operator::is, "/x")));
  const std::string head = get("/x");
  std::vector<loader::DecideInput> inputs(64);
  for (loader::DecideInput& input : inputs) {
    input.workload = 1;
    input.destination = test::dialled(test::address("10.96.0.1", 80));
    input.head = head;
  }
  const std::uint64_t before = decided.session().calls();
  const auto decisions = decided.session().decide(inputs);
  ASSERT_TRUE(decisions.ok());
  EXPECT_EQ(decided.session().calls(), before + 1);
  EXPECT_EQ(decided.session().decisions(decisions->at(0).rule).value(), 64U);
  EXPECT_EQ(decided.session().decisions(decisions->at(0).access).value(), 64U);
}

/// Who has a certificate, to an endpoint or to the service.
loader::DecideInput peer_input(Decided& decided, const std::string& spiffe, const std::string& head) {
  loader::DecideInput input;
  input.peer = decided.session().find_peer(spiffe);
  EXPECT_TRUE(input.peer) << spiffe;
  input.destination = test::dialled(test::address("10.96.0.1", 80));
  input.head = head;
  return input;
}

/// As code and as tables: there is no class of callers for who is no workload.
TEST(Decide, PeersWithACertificate) {
  for (const std::size_t rules_in_code : {std::size_t{32}, std::size_t{0}}) {
    model::Policy p = routed(combine(Condition::Kind::any, {holder(0), holder(2)}));
    p.workloads.clear();  // nobody of this node
    Decided decided(p, {.rules = rules_in_code});
    const std::string head = get("/");
    const auto rule = [&](const std::string& spiffe) {
      const hd_decision decision = decided.one(peer_input(decided, spiffe, head));
      EXPECT_EQ(decision.caller, HD_NONE);
      return decided.session().rule_id(decision.rule);
    };
    EXPECT_EQ(rule("spiffe://shop.example/ns/web"), hit);
    EXPECT_EQ(rule("spiffe://shop.example/ns/batch-7"), hit);
    EXPECT_EQ(rule("spiffe://shop.example/ns/batch-8"), hit) << "by the pattern";
    EXPECT_EQ(rule("spiffe://shop.example/ns/batch/8"), miss);
    EXPECT_EQ(rule("spiffe://other.example/ns/web"), miss);
    EXPECT_EQ(decided.rule(head, std::nullopt), miss) << "the last one's identities are not kept";
  }
}

TEST(Decide, APeerIsAuthenticatedWhoeverItIs) {
  for (const std::size_t rules_in_code : {std::size_t{32}, std::size_t{0}}) {
    Condition known = test(Attribute::from, Operator::is, "");
    known.test.callers.kind = model::Callers::Kind::authenticated;
    Decided decided(routed(known), {.rules = rules_in_code});
    const std::string head = get("/");
    const hd_decision decision = decided.one(peer_input(decided, "spiffe://nowhere.example/x", head));
    EXPECT_EQ(decided.session().rule_id(decision.rule), hit);
    EXPECT_EQ(decided.rule(head, std::nullopt), miss);
    EXPECT_EQ(decided.rule(head, 1), hit);
  }
}

/// What comes through a tunnel is for one endpoint: its service's access is judged, and nothing else.
TEST(Decide, ThroughATunnel) {
  model::Policy p = routed(test(Attribute::path, Operator::is, "/"));
  p.services[0].addresses.push_back(p.services[0].endpoints[0].address);  // a server that joined the mesh as it stands
  Decided decided(p);
  const std::string head = get("/");
  loader::DecideInput input = peer_input(decided, "spiffe://shop.example/ns/web", head);
  input.destination = test::dialled(test::address("10.0.0.1", 8080));
  EXPECT_EQ(decided.session().rule_id(decided.one(input).rule), hit) << "without a tunnel it is an address of the service";
  input.tunnelled = true;
  const hd_decision direct = decided.one(input);
  EXPECT_EQ(direct.verdict, HD_VERDICT_FORWARD);
  EXPECT_EQ(direct.endpoint, 0U);
  EXPECT_EQ(decided.session().rule_id(direct.rule), "access s/1");
  for (const auto& [address, port] : {std::pair{"10.96.0.1", 80}, std::pair{"10.9.9.9", 80}}) {
    input.destination = test::dialled(test::address(address, static_cast<std::uint16_t>(port)));
    const hd_decision none = decided.one(input);
    EXPECT_EQ(none.verdict, HD_VERDICT_DENY) << address << " is no endpoint";
    EXPECT_EQ(none.rule, std::uint32_t{HD_RULE_OUTSIDE});
  }
}

}  // namespace
}  // namespace heddle
