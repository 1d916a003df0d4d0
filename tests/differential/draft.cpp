#include "tests/differential/draft.h"

#include "compiler/eval/caller.h"
#include "tests/differential/example.h"
#include "tests/differential/vocabulary.h"

namespace heddle::differential {
namespace {

using model::Attribute;
using model::Condition;
using model::Operator;
using model::Test;

std::string spiffe_of(const model::Policy& policy, model::WorkloadId workload) {
  const auto& pattern = policy.identities[policy.workloads[workload].identity].patterns.front();
  return "spiffe://" + pattern.trust_domain + "/" + pattern.path;
}

std::string pattern_text(const model::SpiffePattern& pattern) {
  return "spiffe://" + pattern.trust_domain + "/" + pattern.path;
}

bool is_of_connection(const Test& test) {
  return test.attribute == Attribute::address || test.attribute == Attribute::port;
}

bool is_named(const Test& test) {
  return !test.name.empty();
}

bool is_path_byte(char byte) {
  return byte != '%' && byte != '/';
}

}  // namespace

void Aimer::satisfy(const Condition& condition, Draft& draft, bool wanted) {
  if (condition.kind == Condition::Kind::test) return satisfy(condition.test, draft, wanted);
  if (condition.kind == Condition::Kind::negation) return satisfy(condition.children.front(), draft, !wanted);
  const bool every_child = (condition.kind == Condition::Kind::all) == wanted;
  if (!every_child) return satisfy(random_.pick(condition.children), draft, wanted);
  for (const Condition& child : condition.children) satisfy(child, draft, wanted);
}

void Aimer::satisfy(const Test& test, Draft& draft, bool wanted) {
  if (test.attribute == Attribute::from) return satisfy(test.callers, draft, wanted);
  if (test.attribute == Attribute::address) return satisfy_address(test, draft, wanted);
  if (test.attribute == Attribute::port) return satisfy_port(test, draft, wanted);
  const bool asks_presence = test.op == Operator::present || test.op == Operator::absent;
  const bool there = test.op == Operator::absent ? !wanted : wanted;
  if (there || (is_named(test) && !asks_presence && random_.chance(70))) {
    const std::string value = example(test, random_);
    const bool near = random_.chance(60);
    return set(test, there ? value : near ? near_miss(value) : any_value(test.attribute, random_), draft);
  }
  if (is_named(test)) {
    named(test, draft).erase(test.name);
  } else if (test.attribute == Attribute::sni && random_.chance(20)) {
    draft.sni.reset();
  } else {
    set(test, random_.chance(60) ? near_miss(example(test, random_)) : any_value(test.attribute, random_), draft);
  }
}

void Aimer::satisfy(const model::Callers& callers, Draft& draft, bool wanted) {
  std::vector<std::optional<model::WorkloadId>> fitting;
  for (model::WorkloadId id = 0; id <= policy_.workloads.size(); ++id) {
    const bool nobody = id == policy_.workloads.size();
    const auto spiffe = nobody ? std::nullopt : std::optional(spiffe_of(policy_, id));
    if (eval::includes(callers, eval::make_caller(policy_, spiffe)) != wanted) continue;
    fitting.push_back(nobody ? std::nullopt : std::optional(id));
  }
  if (!fitting.empty()) draft.caller = random_.pick(fitting);
}

void Aimer::satisfy_address(const Test& test, Draft& draft, bool wanted) {
  draft.source = random_source(random_);
  if (!wanted) return;
  auto& bytes = draft.source->ip.bytes;
  for (std::size_t bit = 0; bit < test.range.bits; ++bit) {
    const auto mask = static_cast<std::uint8_t>(0x80U >> (bit % 8));
    bytes[bit / 8] = static_cast<std::uint8_t>((bytes[bit / 8] & ~mask) | (test.range.first.bytes[bit / 8] & mask));
  }
}

void Aimer::satisfy_port(const Test& test, Draft& draft, bool wanted) {
  std::vector<model::SocketAddress> fitting;
  for (const auto& address : service_.addresses) {
    if ((address.port == test.port) == wanted) fitting.push_back(address);
  }
  for (const auto& endpoint : service_.endpoints) {
    if ((endpoint.address.port == test.port) == wanted) fitting.push_back(endpoint.address);
  }
  if (!fitting.empty()) draft.destination = random_.pick(fitting);
}

std::map<std::string, std::string>& Aimer::named(const Test& test, Draft& draft) {
  if (test.attribute == Attribute::query) return draft.queries;
  return test.attribute == Attribute::cookie ? draft.cookies : draft.headers;
}

void Aimer::set(const Test& test, const std::string& value, Draft& draft) {
  if (is_named(test)) named(test, draft)[test.name] = value;
  if (test.attribute == Attribute::path) draft.path = value;
  if (test.attribute == Attribute::host) draft.host = value;
  if (test.attribute == Attribute::method) draft.method = value;
  if (test.attribute == Attribute::sni) draft.sni = value;
}

std::string Aimer::near_miss(const std::string& literal) {
  std::string value = literal;
  std::vector<std::size_t> places;
  for (std::size_t at = 0; at < value.size(); ++at) {
    const bool in_escape = (at > 0 && value[at - 1] == '%') || (at > 1 && value[at - 2] == '%');
    if (is_path_byte(value[at]) && !in_escape) places.push_back(at);
  }
  if (places.empty()) return value + "z";
  char& byte = value[random_.pick(places)];
  const bool letter = ('a' <= byte && byte <= 'z') || ('A' <= byte && byte <= 'Z');
  byte = letter && random_.chance(50) ? static_cast<char>(byte ^ 0x20) : (byte == 'q' ? 'z' : 'q');
  return value;
}

/// Lengths around one, around the strides of a scanner, and far beyond every buffer.
std::string Aimer::tail() {
  static const std::vector<std::size_t> lengths = {1,  1,  2,   3,   7,   8,   15,  31,   32,
                                                   63, 64, 127, 200, 255, 256, 300, 1000, 4000};
  return std::string(random_.pick(lengths), random_.chance(50) ? 'x' : 'b');
}

bool Aimer::pick_caller(const model::Callers& callers, Draft& draft,
                        bool (*relation)(const std::string&, const std::string&)) {
  std::vector<model::WorkloadId> fitting;
  for (model::WorkloadId id = 0; id < policy_.workloads.size(); ++id) {
    for (const auto identity : callers.identities) {
      for (const auto& pattern : policy_.identities[identity].patterns) {
        if (relation(spiffe_of(policy_, id), pattern_text(pattern))) fitting.push_back(id);
      }
    }
  }
  if (fitting.empty()) return false;
  draft.caller = random_.pick(fitting);
  return true;
}

model::SocketAddress random_source(Random& random) {
  model::SocketAddress source;
  auto& bytes = source.ip.bytes;
  bytes = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 0};
  if (random.chance(30)) bytes = {0xfd, 0, 0, 7};
  bytes.back() = static_cast<std::uint8_t>(random.between(1, 20));
  return source;
}

bool Aimer::truncate(const Test& test, Draft& draft) {
  if (is_of_connection(test)) return false;
  if (test.attribute == Attribute::from) {
    return pick_caller(test.callers, draft, [](const std::string& id, const std::string& pattern) {
      return id.size() < pattern.size() && pattern.starts_with(id);
    });
  }
  const auto cut = [&](const std::string& text, std::size_t keep) {
    return text.substr(0, random_.between(keep, text.size() - 1));
  };
  if (test.op == Operator::present || test.op == Operator::absent) {
    if (test.name.size() < 2) return false;
    named(test, draft).erase(test.name);
    named(test, draft)[cut(test.name, 1)] = any_value(test.attribute, random_);
    return true;
  }
  const std::string value = example(test, random_);
  const std::size_t least = is_named(test) ? 0 : 1;
  if (value.size() <= least) return false;
  set(test, cut(value, least), draft);
  return true;
}

bool Aimer::extend(const Test& test, Draft& draft) {
  if (is_of_connection(test)) return false;
  if (test.attribute == Attribute::from) {
    return pick_caller(test.callers, draft, [](const std::string& id, const std::string& pattern) {
      const std::string fixed = pattern.substr(0, pattern.find('*'));
      return id.size() > pattern.size() && id.starts_with(fixed);
    });
  }
  if (test.op == Operator::absent) {
    named(test, draft).erase(test.name);
    named(test, draft)[test.name + tail()] = any_value(test.attribute, random_);
    return true;
  }
  const std::string value = example(test, random_);
  if (value.starts_with('[')) return false;  // an IPv6 address goes no further
  set(test, value + (test.attribute == Attribute::method ? std::string(random_.between(1, 300), 'X') : tail()), draft);
  return true;
}

bool Aimer::repeat(const Test& test, Draft& draft) {
  if (!is_named(test) && test.attribute != Attribute::host) return false;
  const std::string value = example(test, random_);
  set(test, value, draft);
  draft.repeated = Repeated{test.attribute, test.name, random_.chance(50) ? value : any_value(test.attribute, random_)};
  if (test.op == Operator::has && random_.chance(50)) std::swap(named(test, draft)[test.name], draft.repeated->value);
  return true;
}

bool Aimer::leave_out(const Test& test, Draft& draft) {
  if (test.attribute == Attribute::host) draft.host.reset();
  if (test.attribute == Attribute::sni) draft.sni.reset();
  if (test.attribute == Attribute::from) draft.caller.reset();
  if (is_named(test)) named(test, draft).erase(test.name);
  return test.attribute != Attribute::path && test.attribute != Attribute::method && !is_of_connection(test);
}

}  // namespace heddle::differential
