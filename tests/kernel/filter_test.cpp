#include <bpf/bpf.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "runtime/loader/generation.h"
#include "tests/kernel/compiled.h"

/// Filters in BPF C through the whole way: compiled, linked, verified, asked by the syscall entry. That the fast path asks the same
/// function is tested where there are sockets (tests/e2e/commands/extern_test.py).
namespace heddle {
namespace {

const std::string include = "#include <heddle/filter.h>\n";

/// Holds for the client addresses in its map whose value is 1.
const std::string by_address = include + R"(
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 64);
  __type(key, struct heddle_address);
  __type(value, __u8);
} blocked SEC(".maps");

int filter(const struct heddle_request* request) {
  struct heddle_address address = heddle_address_of(request->source);
  __u8* value = bpf_map_lookup_elem(&blocked, &address);
  return value && *value == 1;
}
)";

/// Copies what it sees into its map.
const std::string witness = include + R"(
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct heddle_request);
} seen SEC(".maps");

int filter(const struct heddle_request* request) {
  __u32 zero = 0;
  struct heddle_request* copy = bpf_map_lookup_elem(&seen, &zero);
  if (copy) __builtin_memcpy(copy, request, sizeof(*copy));
  return 1;
}
)";

emit::Filter compiled(const std::string& name, const std::string& text, std::uint32_t number) {
  const emit::CompiledFilter result = emit::compile_filter({name, name + ".bpf.c", text}, number);
  for (const emit::FilterProblem& problem : result.problems) ADD_FAILURE() << problem.what << ", line " << problem.line;
  return result.filter;
}

model::Condition asks(model::FilterId filter) {
  model::Condition out;
  out.test.attribute = model::Attribute::filter;
  out.test.filter = filter;
  return out;
}

model::Condition operator!(model::Condition condition) {
  model::Condition out;
  out.kind = model::Condition::Kind::negation;
  out.children = {std::move(condition)};
  return out;
}

model::Policy policy(model::Protocol protocol = model::Protocol::http) {
  model::Policy p;
  p.name = "shop";
  p.trust_domain = "shop.example";
  model::Identity web;
  web.name = "web";
  web.patterns.push_back({"shop.example", "ns/web", {}});
  p.identities.push_back(web);
  p.workloads.push_back({"web", "web", 0, "", {}});
  model::Service s;
  s.name = "s";
  s.protocol = protocol;
  s.addresses = {test::address("10.96.0.1", 80)};
  s.endpoints = {{test::address("10.0.0.1", 8080), {}, {}}};
  s.access.emplace();
  p.services.push_back(s);
  return p;
}

model::AccessRule rule(const std::string& id, model::Effect effect, std::optional<model::Condition> when) {
  return {"access s/" + id, effect, {}, std::move(when), {}};
}

class Asked {
 public:
  Asked(const model::Policy& p, const std::vector<emit::Filter>& filters, const plan::CodeBounds& bounds = {})
      : session_(test::load(p, bounds, {}, filters)), tcp_(p.services[0].protocol == model::Protocol::tcp) {}

  std::string rule(const std::string& source, const std::string& head = "GET / HTTP/1.1\r\nHost: s\r\n\r\n") {
    loader::DecideInput input;
    input.workload = 0;
    if (!source.empty()) input.source = test::dialled(test::address(source, 4000));
    input.destination = test::dialled(test::address("10.96.0.1", 80));
    input.head = head;
    if (tcp_) input.protocol = HD_PROTOCOL_TCP;
    const auto decisions = session_->decide(std::span(&input, 1));
    EXPECT_TRUE(decisions.ok()) << decisions.error().what;
    return decisions ? session_->rule_id(decisions->at(0).rule) : "";
  }
  void block(const std::string& map, const std::string& source, std::uint8_t value = 1) {
    const model::SocketAddress address = test::address(source, 0);
    ASSERT_EQ(bpf_map_update_elem(session_->table(map), address.ip.bytes.data(), &value, BPF_ANY), 0);
  }
  heddle_request seen(const std::string& map) {
    heddle_request out{};
    const std::uint32_t zero = 0;
    EXPECT_EQ(bpf_map_lookup_elem(session_->table(map), &zero, &out), 0);
    return out;
  }

 private:
  std::unique_ptr<loader::DecideSession> session_;
  bool tcp_;
};

TEST(Filter, DecidesByItsMap) {
  model::Policy p = policy();
  p.services[0].access->rules = {rule("blocked", model::Effect::deny, asks(0)), rule("all", model::Effect::allow, std::nullopt)};
  Asked asked(p, {compiled("blocked", by_address, 0)});
  EXPECT_EQ(asked.rule("192.0.2.1"), "route s/otherwise") << "its map is empty";
  asked.block("hx0_blocked", "192.0.2.1");
  asked.block("hx0_blocked", "2001:db8::1");
  asked.block("hx0_blocked", "192.0.2.3", 2);
  EXPECT_EQ(asked.rule("192.0.2.1"), "access s/blocked");
  EXPECT_EQ(asked.rule("2001:db8::1"), "access s/blocked");
  EXPECT_EQ(asked.rule("192.0.2.2"), "route s/otherwise");
  EXPECT_EQ(asked.rule("192.0.2.3"), "route s/otherwise") << "it is there, with another value";
}

TEST(Filter, CanBeNegated) {
  model::Policy p = policy();
  p.services[0].access->rules = {rule("all", model::Effect::allow, !asks(0))};
  Asked asked(p, {compiled("blocked", by_address, 0)});
  asked.block("hx0_blocked", "192.0.2.1");
  EXPECT_EQ(asked.rule("192.0.2.1"), "access s/default");
  EXPECT_EQ(asked.rule("192.0.2.2"), "route s/otherwise");
}

/// Each has its own map and its own bit, and a service asks those that its rules name.
TEST(Filter, SeveralDoNotMix) {
  model::Policy p = policy();
  p.services[0].access->rules = {rule("third", model::Effect::deny, asks(2)), rule("first", model::Effect::deny, asks(0)),
                                 rule("all", model::Effect::allow, std::nullopt)};
  Asked asked(p, {compiled("a", by_address, 0), compiled("b", by_address, 1), compiled("c", by_address, 2)});
  asked.block("hx0_blocked", "192.0.2.1");
  asked.block("hx1_blocked", "192.0.2.2");
  asked.block("hx2_blocked", "192.0.2.3");
  EXPECT_EQ(asked.rule("192.0.2.1"), "access s/first");
  EXPECT_EQ(asked.rule("192.0.2.2"), "route s/otherwise");
  EXPECT_EQ(asked.rule("192.0.2.3"), "access s/third");
}

/// Rules that are tables ask for the same bit.
TEST(Filter, IsATestOfTables) {
  model::Policy p = policy();
  p.services[0].access->rules = {rule("blocked", model::Effect::deny, asks(0)), rule("all", model::Effect::allow, std::nullopt)};
  Asked asked(p, {compiled("blocked", by_address, 0)}, {0, 0, 0});
  asked.block("hx0_blocked", "192.0.2.1");
  EXPECT_EQ(asked.rule("192.0.2.1"), "access s/blocked");
  EXPECT_EQ(asked.rule("192.0.2.2"), "route s/otherwise");
}

TEST(Filter, SeesTheRequest) {
  model::Policy p = policy();
  p.services[0].access->rules = {rule("all", model::Effect::allow, asks(0))};
  Asked asked(p, {compiled("witness", witness, 0)});
  EXPECT_EQ(asked.rule("192.0.2.1", "PATCH /a/%2e?b=c HTTP/1.1\r\nHost: s\r\n\r\n").substr(0, 5), "mesh/") << "not asked";
  EXPECT_EQ(asked.seen("hx0_seen").protocol, 0);
  EXPECT_EQ(asked.rule("192.0.2.1", "PATCH /a/b?b=c HTTP/1.1\r\nHost: Shop.example:8080\r\n\r\n"), "route s/otherwise");
  const heddle_request seen = asked.seen("hx0_seen");
  EXPECT_EQ(seen.protocol, HEDDLE_HTTP);
  EXPECT_EQ(seen.has_source, 1);
  EXPECT_EQ(seen.has_caller, 1);
  EXPECT_EQ(seen.cgroup, 1u);
  EXPECT_EQ(seen.source_port, 4000);
  EXPECT_EQ(seen.destination_port, 80);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(seen.source), 16), std::string("\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1", 16));
  EXPECT_EQ(std::string(seen.method, sizeof(seen.method)), "PATCH" + std::string(HEDDLE_METHOD_MAX - 5, '\0'));
  EXPECT_EQ(seen.method_length, 5u);
  EXPECT_EQ(std::string(seen.host), "Shop.example");
  EXPECT_EQ(seen.host_length, 12u);
  EXPECT_EQ(std::string(seen.path), "/a/b");
  EXPECT_EQ(seen.path_length, 4u);
}

/// A text that is longer than there is room begins there; nothing of an earlier request stays behind a shorter one.
TEST(Filter, SeesTheBeginningOfALongText) {
  model::Policy p = policy();
  p.services[0].access->rules = {rule("all", model::Effect::allow, asks(0))};
  Asked asked(p, {compiled("witness", witness, 0)});
  for (const std::size_t size : {511, 512, 513, 3000, 7000}) {
    const std::string path = "/" + std::string(size - 1, 'x');
    asked.rule("192.0.2.1", "GET " + path + " HTTP/1.1\r\nHost: s\r\n\r\n");
    const heddle_request seen = asked.seen("hx0_seen");
    EXPECT_EQ(seen.path_length, size);
    const std::string text(seen.path, sizeof(seen.path));
    EXPECT_EQ(text.substr(0, std::min<std::size_t>(size, 512)), path.substr(0, 512)) << size;
    EXPECT_EQ(text.find_first_not_of('\0', size), std::string::npos);
  }
  asked.rule("192.0.2.1");
  EXPECT_EQ(std::string(asked.seen("hx0_seen").path, HEDDLE_PATH_MAX), "/" + std::string(HEDDLE_PATH_MAX - 1, '\0'));
}

/// A value that begins in one page of the arena and ends in the next.
TEST(Filter, ReadsAcrossPages) {
  model::Policy p = policy();
  p.services[0].access->rules = {rule("all", model::Effect::allow, asks(0))};
  Asked asked(p, {compiled("witness", witness, 0)});
  const std::string host = "a-host-with-a-name.of-some-length.example";
  for (std::size_t pad = 4096 - 90; pad < 4096 - 20; ++pad) {
    asked.rule("192.0.2.1", "GET / HTTP/1.1\r\nx: " + std::string(pad, 'p') + "\r\nHost: " + host + "\r\n\r\n");
    EXPECT_EQ(std::string(asked.seen("hx0_seen").host), host) << pad;
  }
}

/// A connection has no head, and is decided before its client has an address unless a rule asks for it.
TEST(Filter, SeesAConnection) {
  model::Policy p = policy(model::Protocol::tcp);
  p.services[0].access->rules = {rule("all", model::Effect::allow, asks(0))};
  Asked asked(p, {compiled("witness", witness, 0)});
  EXPECT_EQ(asked.rule("", ""), "route s/otherwise");
  const heddle_request seen = asked.seen("hx0_seen");
  EXPECT_EQ(seen.protocol, HEDDLE_TCP);
  EXPECT_EQ(seen.has_source, 0);
  EXPECT_EQ(seen.has_caller, 1);
  EXPECT_EQ(seen.destination_port, 80);
  EXPECT_EQ(seen.path_length, 0u);
}

/// What the compiler takes and the verifier does not is told with the filter's name and its line.
TEST(Filter, IsNamedWhereTheVerifierRefusesIt) {
  model::Policy p = policy();
  p.services[0].access->rules = {rule("all", model::Effect::allow, asks(0))};
  const std::string careless = include + R"(
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u64);
} seen SEC(".maps");

int filter(const struct heddle_request* request) {
  __u32 zero = 0;
  __u64* value = bpf_map_lookup_elem(&seen, &zero);
  return *value > request->path_length;
}
)";
  const auto session = loader::DecideSession::make(test::compile(p, {}, {compiled("careless", careless, 0)}), {});
  ASSERT_FALSE(session.ok());
  EXPECT_EQ(session.error().kind, ErrorKind::verifier);
  EXPECT_NE(session.error().what.find("filter `careless` (careless.bpf.c) at: return *value > request->path_length;"), std::string::npos)
      << session.error().what;
}

/// As much of the stack as a filter may have, the verifier has left on every way to it.
TEST(Filter, MayHaveItsStack) {
  model::Policy p = policy();
  p.services[0].access->rules = {rule("all", model::Effect::allow, asks(0))};
  const std::string full = include + R"(
int filter(const struct heddle_request* request) {
  volatile __u64 room[15];
  for (int i = 0; i < 15; i++) room[i] = bpf_ktime_get_ns();
  return room[request->path_length & 7] != 0;
}
)";
  Asked asked(p, {compiled("full", full, 0)});
  EXPECT_EQ(asked.rule("192.0.2.1"), "route s/otherwise");
}

}  // namespace
}  // namespace heddle
