#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/loader/generation.h"
#include "tests/kernel/compiled.h"

/// Large policies: what the verifier walks for them, and that they decide as their rules say. The bound is the budget on every
/// kernel that we support; the matrix asks the older ones.
namespace heddle {
namespace {

using model::Attribute;
using model::Condition;
using model::Operator;
using Kind = Condition::Kind;

constexpr std::uint32_t verified_budget = 200000;
constexpr int shapes = 8;

Condition test(Attribute attribute, Operator op, const std::string& literal, const std::string& name = "") {
  Condition out;
  out.test.attribute = attribute;
  out.test.op = op;
  out.test.literal = literal;
  out.test.name = name;
  return out;
}

Condition combine(Kind kind, std::vector<Condition> children) {
  Condition out;
  out.kind = kind;
  out.children = std::move(children);
  return out;
}

Condition from_web() {
  Condition out = test(Attribute::from, Operator::is, "");
  out.test.callers = {model::Callers::Kind::identities, {0}};
  return out;
}

/// What the rules are made of. No two of these are equal, but rules overlap: what `starts` is also `under`, and so on.
std::string path_of(int n) {
  return "/team-" + std::to_string(n % 37) + "/app-" + std::to_string(n);
}
std::string host_of(int n) {
  return "h" + std::to_string(n % 50) + ".example";
}
std::string name_of(int n) {
  return "x-h" + std::to_string(n % 20);
}
std::string value_of(int n) {
  return "v" + std::to_string(n);
}
std::string method_of(int n) {
  return n % 3 == 0 ? "GET" : "POST";
}

/// Route number n of a shape that depends on n.
Condition route(int n) {
  const Condition header = test(Attribute::header, Operator::is, value_of(n), name_of(n));
  const Condition host = test(Attribute::host, Operator::is, host_of(n));
  const Condition method = test(Attribute::method, Operator::is, method_of(n));
  switch (n % shapes) {
    case 0:
      return test(Attribute::path, Operator::is, path_of(n));
    case 1:
      return combine(Kind::all, {test(Attribute::path, Operator::under, path_of(n)), method});
    case 2:
      return combine(Kind::all, {test(Attribute::path, Operator::starts, path_of(n)), combine(Kind::any, {host, header})});
    case 3:
      return combine(Kind::all, {combine(Kind::negation, {host}), header});
    case 4:
      return combine(Kind::any,
                     {combine(Kind::all, {host, header, method}), test(Attribute::path, Operator::is, path_of(n) + "/x")});
    case 5:
      return combine(Kind::all, {test(Attribute::path, Operator::like, "/like/{one}/" + std::to_string(n)), from_web()});
    case 6:
      return combine(Kind::all, {combine(Kind::negation, {test(Attribute::header, Operator::present, "", name_of(n))}),
                                 test(Attribute::path, Operator::under, path_of(n))});
    default:
      return test(Attribute::path, Operator::under, path_of(n - 6) + "/deep");
  }
}

struct Sent {
  std::string path = "/";
  std::string method = "DELETE";
  std::string host = "s";
  std::map<std::string, std::string> headers = {};
  bool web = true;
};

bool is_under(const std::string& path, const std::string& above) {
  return path == above || path.starts_with(above + "/");
}

/// The same rules in plain C++, from the strings that were sent.
bool holds(int n, const Sent& sent) {
  const auto found = sent.headers.find(name_of(n));
  const bool header = found != sent.headers.end() && found->second == value_of(n);
  const bool host = sent.host == host_of(n);
  const bool method = sent.method == method_of(n);
  switch (n % shapes) {
    case 0:
      return sent.path == path_of(n);
    case 1:
      return is_under(sent.path, path_of(n)) && method;
    case 2:
      return sent.path.starts_with(path_of(n)) && (host || header);
    case 3:
      return !host && header;
    case 4:
      return (host && header && method) || sent.path == path_of(n) + "/x";
    case 5: {
      const std::string end = "/" + std::to_string(n);
      const bool fits = sent.path.starts_with("/like/") && sent.path.ends_with(end) && sent.path.size() > 6 + end.size();
      return fits && std::count(sent.path.begin(), sent.path.end(), '/') == 3 && sent.web;
    }
    case 6:
      return found == sent.headers.end() && is_under(sent.path, path_of(n));
    default:
      return is_under(sent.path, path_of(n - 6) + "/deep");
  }
}

std::string expected(int count, const Sent& sent) {
  int n = 0;
  while (n < count && !holds(n, sent)) ++n;
  return "route s/" + (n == count ? "otherwise" : std::to_string(n + 1));
}

/// Requests at the rule: those that hit it, and those beside it in one thing.
std::vector<Sent> requests_at(int n) {
  const std::string like = "/like/a/" + std::to_string(n);
  const Sent both{path_of(n), method_of(n), host_of(n), {{name_of(n), value_of(n)}}};
  std::vector<Sent> sent = {both,
                            {.path = path_of(n)},
                            {.path = path_of(n), .method = method_of(n)},
                            {.path = path_of(n) + "/more", .method = method_of(n)},
                            {.path = path_of(n) + "more", .method = method_of(n), .host = host_of(n)},
                            {.path = path_of(n) + "/x"},
                            {.path = path_of(n) + "/deep/er"},
                            {.path = path_of(n).substr(0, path_of(n).size() - 1), .method = "GET"},
                            {.headers = {{name_of(n), value_of(n)}}},
                            {.host = host_of(n), .headers = {{name_of(n), value_of(n)}}},
                            {.method = method_of(n), .host = host_of(n), .headers = {{name_of(n), value_of(n)}}},
                            {.headers = {{name_of(n), value_of(n) + "0"}}},
                            {.headers = {{name_of(n + 1), value_of(n)}}},
                            {.path = path_of(n), .headers = {{name_of(n), "other"}}},
                            {.path = like},
                            {.path = like, .web = false},
                            {.path = like + "/b"},
                            {.path = "/like//" + std::to_string(n)}};
  sent.pop_back();  // refused for its form
  return sent;
}

model::Identity identity(const char* name) {
  model::Identity out;
  out.name = name;
  out.patterns = {{"large.example", name, {}}};
  return out;
}

model::Policy with_routes(int count) {
  model::Policy p;
  p.name = "large";
  p.trust_domain = "large.example";
  p.identities = {identity("web"), identity("zeus")};
  p.workloads = {{"web", "web", 0, "", {}}, {"zeus", "zeus", 1, "", {}}};
  model::Service s;
  s.name = "s";
  s.addresses = {test::address("10.96.0.1", 80)};
  s.endpoints = {{test::address("10.0.0.1", 8080), {}, {}}};
  s.access.emplace();
  s.access->rules.push_back({"access s/1", model::Effect::allow, {}, std::nullopt, {}});
  s.route.emplace();
  for (int n = 0; n < count; ++n) {
    s.route->rules.push_back({"route s/" + std::to_string(n + 1), route(n), {}, {}});
  }
  s.route->rules.push_back({"route s/otherwise", std::nullopt, {}, {}});
  p.services.push_back(s);
  return p;
}

std::string head_of(const Sent& sent) {
  std::string head = sent.method + " " + sent.path + " HTTP/1.1\r\nHost: " + sent.host + "\r\n";
  for (const auto& [name, value] : sent.headers) head += name + ": " + value + "\r\n";
  return head + "\r\n";
}

/// What the loaded function says, for every request the rule that decided.
std::vector<std::string> decided(loader::DecideSession& session, const std::vector<Sent>& all, const char* to) {
  std::vector<std::string> heads;
  for (const Sent& sent : all) heads.push_back(head_of(sent));
  std::vector<loader::DecideInput> inputs;
  for (std::size_t at = 0; at < all.size(); ++at) {
    loader::DecideInput input;
    input.workload = all[at].web ? 0 : 1;
    input.destination = test::dialled(test::address(to, 80));
    input.head = heads[at];
    inputs.push_back(input);
  }
  const auto decisions = session.decide(inputs);
  EXPECT_TRUE(decisions.ok()) << decisions.error().what;
  std::vector<std::string> rules;
  for (const hd_decision& decision : *decisions) rules.push_back(session.rule_id(decision.rule));
  return rules;
}

std::vector<loader::ProgramFigures> verified(const bundle::Opened& opened) {
  const auto figures = loader::verify(opened);
  EXPECT_TRUE(figures.ok()) << figures.error().what;
  if (!figures.ok()) return {};
  for (const loader::ProgramFigures& program : *figures) {
    std::cout << program.name << ": " << program.verified_instructions << " verified, " << program.instructions
              << " instructions\n";
    EXPECT_LT(program.verified_instructions, verified_budget) << program.name;
  }
  return *figures;
}

TEST(Scale, TenThousandMixedRoutesDecideAsTheySay) {
  constexpr int count = 10000;
  const model::Policy policy = with_routes(count);
  const auto session = test::load(policy);
  ASSERT_TRUE(session);
  std::vector<Sent> all = {Sent{}, {.path = "/team-1"}, {.path = "/team-1/app-10001"}};
  for (int n = 0; n < count; n += 61) {
    for (Sent& sent : requests_at(n)) all.push_back(std::move(sent));
  }
  for (Sent& sent : requests_at(count - 1)) all.push_back(std::move(sent));
  const std::vector<std::string> rules = decided(*session, all, "10.96.0.1");
  ASSERT_EQ(rules.size(), all.size());
  std::map<std::string, int> met;
  for (std::size_t at = 0; at < all.size(); ++at) {
    EXPECT_EQ(rules[at], expected(count, all[at])) << head_of(all[at]);
    ++met[rules[at]];
  }
  EXPECT_GT(met.size(), 160U) << "too few rules are hit";
  EXPECT_GT(met["route s/otherwise"], 100);
}

/// Rules that lie in tables are no code: what is loaded does not grow with them.
TEST(Scale, TheVerifierDoesNotSeeHowManyRoutesThereAre) {
  const auto thousand = verified(test::compile(with_routes(1000)));
  const auto all = verified(test::compile(with_routes(10000)));
  ASSERT_EQ(thousand.size(), all.size());
  for (std::size_t at = 0; at < all.size(); ++at) {
    EXPECT_EQ(thousand[at].instructions, all[at].instructions) << all[at].name;
    EXPECT_EQ(thousand[at].verified_instructions, all[at].verified_instructions) << all[at].name;
  }
}

/// Of the services every hundredth has many routes.
TEST(Scale, ThousandServices) {
  model::Policy p = with_routes(3);
  const model::Service many = with_routes(40).services[0];
  const model::Service one = p.services[0];
  const auto host = [](int n) { return std::to_string(n / 250) + "." + std::to_string(n % 250); };
  p.services.clear();
  for (int n = 0; n < 1000; ++n) {
    model::Service s = n % 100 == 0 ? many : one;
    s.name = "s" + std::to_string(1000 + n);
    s.addresses = {test::address("10.96." + host(n), 80)};
    s.endpoints = {{test::address("10.0." + host(n), 8080), {}, {}}};
    p.services.push_back(s);
  }
  EXPECT_FALSE(verified(test::compile(p)).empty());
  const auto session = test::load(p);
  ASSERT_TRUE(session);
  for (const int n : {0, 1, 200, 399, 999}) {
    std::vector<Sent> all;
    for (int route = 0; route < 40; ++route) {
      for (Sent& sent : requests_at(route)) all.push_back(std::move(sent));
    }
    const std::vector<std::string> rules = decided(*session, all, ("10.96." + host(n)).c_str());
    for (std::size_t at = 0; at < all.size(); ++at)
      EXPECT_EQ(rules[at], expected(n % 100 == 0 ? 40 : 3, all[at])) << n << "\n" << head_of(all[at]);
  }
}

}  // namespace
}  // namespace heddle
