#include "tests/differential/draft.h"

#include "compiler/eval/caller.h"
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
  if (test.attribute == Attribute::path) satisfy_path(test, draft, wanted);
  if (test.attribute == Attribute::header) satisfy_header(test, draft, wanted);
  if (test.attribute == Attribute::host) satisfy_host(test, draft, wanted);
  if (test.attribute == Attribute::method) satisfy_method(test, draft, wanted);
  if (test.attribute == Attribute::from) satisfy(test.callers, draft, wanted);
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

void Aimer::satisfy_path(const Test& test, Draft& draft, bool wanted) {
  if (!wanted) {
    draft.path = random_.chance(50) ? near_miss(test.literal) : "/" + random_.pick(segments);
    return;
  }
  draft.path = test.literal;
  if (test.op == Operator::under && random_.chance(60)) {
    draft.path += (draft.path.ends_with('/') ? "" : "/") + (random_.chance(20) ? "" : random_.pick(segments));
  }
  if (test.op == Operator::starts && random_.chance(60)) draft.path += "x" + random_.pick(segments);
}

void Aimer::satisfy_header(const Test& test, Draft& draft, bool wanted) {
  const bool there = test.op == Operator::absent ? !wanted : wanted;
  if (test.op != Operator::is) {
    if (there) {
      draft.headers[test.name] = random_.chance(20) ? "" : random_.pick(header_values);
    } else {
      draft.headers.erase(test.name);
    }
    return;
  }
  if (wanted) {
    draft.headers[test.name] = test.literal;
  } else if (random_.chance(30)) {
    draft.headers.erase(test.name);
  } else {
    draft.headers[test.name] = random_.chance(60) ? near_miss(test.literal) : random_.pick(header_values);
  }
}

void Aimer::satisfy_host(const Test& test, Draft& draft, bool wanted) {
  draft.host = wanted ? test.literal : random_.chance(50) ? "x" + test.literal : random_.pick(hosts);
}

void Aimer::satisfy_method(const Test& test, Draft& draft, bool wanted) {
  draft.method = wanted ? test.literal : random_.chance(30) ? test.literal + "-X" : random_.pick(methods);
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

bool Aimer::truncate(const Test& test, Draft& draft) {
  const auto cut = [&](const std::string& text, std::size_t keep) {
    return text.substr(0, random_.between(keep, text.size() - 1));
  };
  if (test.attribute == Attribute::from) {
    return pick_caller(test.callers, draft, [](const std::string& id, const std::string& pattern) {
      return id.size() < pattern.size() && pattern.starts_with(id);
    });
  }
  if (test.attribute == Attribute::header && test.op != Operator::is) {
    draft.headers.erase(test.name);
    draft.headers[cut(test.name, 1)] = random_.pick(header_values);
    return true;
  }
  if (test.literal.size() < 2) return false;
  if (test.attribute == Attribute::path) draft.path = cut(test.literal, 1);
  if (test.attribute == Attribute::header) draft.headers[test.name] = cut(test.literal, 0);
  if (test.attribute == Attribute::method) draft.method = cut(test.literal, 1);
  if (test.attribute == Attribute::host) draft.host = cut(test.literal, 1);
  return true;
}

bool Aimer::extend(const Test& test, Draft& draft) {
  if (test.attribute == Attribute::from) {
    return pick_caller(test.callers, draft, [](const std::string& id, const std::string& pattern) {
      const std::string fixed = pattern.substr(0, pattern.find('*'));
      return id.size() > pattern.size() && id.starts_with(fixed);
    });
  }
  if (test.attribute == Attribute::header && test.op == Operator::absent) {
    draft.headers.erase(test.name);
    draft.headers[test.name + tail()] = random_.pick(header_values);
    return true;
  }
  if (test.attribute == Attribute::path) draft.path = test.literal + tail();
  if (test.attribute == Attribute::header) draft.headers[test.name] = test.literal + tail();
  if (test.attribute == Attribute::method)
    draft.method = test.literal + std::string(random_.between(1, 300), 'X');
  if (test.attribute == Attribute::host && test.literal.front() != '[') draft.host = test.literal + tail();
  return test.attribute != Attribute::host || test.literal.front() != '[';
}

}  // namespace heddle::differential
