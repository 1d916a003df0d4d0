#include "compiler/plan/fields.h"

namespace heddle::plan {
namespace {

using model::Attribute;
using model::Condition;
using model::Operator;

std::vector<PatternByte> body_of(const model::Test& test) {
  if (test.attribute == Attribute::path) return path_bytes(test.literal);
  if (test.attribute == Attribute::host) return caseless_bytes(test.literal);
  return exact_bytes(test.literal);
}

Pattern pattern_of(const model::Test& test) {
  Pattern pattern;
  if (test.op == Operator::present || test.op == Operator::absent) {
    pattern.end = Pattern::End::anywhere;
    return pattern;
  }
  pattern.body = body_of(test);
  if (test.op == Operator::starts) pattern.end = Pattern::End::anywhere;
  if (test.op == Operator::under && test.attribute == Attribute::host) pattern.after_dot = true;
  if (test.op == Operator::under && test.attribute == Attribute::path) {
    const bool closed = !test.literal.empty() && test.literal.back() == '/';
    pattern.end = closed ? Pattern::End::anywhere : Pattern::End::at_segment;
  }
  return pattern;
}

bool asks_presence(const model::Test& test) {
  return test.op == Operator::present || test.op == Operator::absent;
}

/// `absent` is the negation of `present` and shares its bit.
std::string key_of(const model::Test& test) {
  if (asks_presence(test)) return "present";
  return std::to_string(static_cast<int>(test.op)) + " " + test.literal;
}

Formula negated(Formula formula) {
  Formula out;
  out.kind = Formula::Kind::negation;
  out.children.push_back(std::move(formula));
  return out;
}

}  // namespace

Fields::Fields() {
  method_.may_repeat = false;
  path_.may_repeat = false;
  host_.may_repeat = false;
}

Field& Fields::find_or_add(const model::Test& test) {
  if (test.attribute == Attribute::method) return method_;
  if (test.attribute == Attribute::path) return path_;
  if (test.attribute == Attribute::host) return host_;
  Field& field = headers_[test.name];
  field.name = test.name;
  return field;
}

const Field& Fields::find(const model::Test& test) const {
  if (test.attribute == Attribute::method) return method_;
  if (test.attribute == Attribute::path) return path_;
  if (test.attribute == Attribute::host) return host_;
  return headers_.at(test.name);
}

void Fields::collect(const Condition& condition) {
  for (const Condition& child : condition.children) collect(child);
  if (condition.kind != Condition::Kind::test || condition.test.attribute == Attribute::from) return;
  Field& field = find_or_add(condition.test);
  if (!asks_presence(condition.test)) field.may_repeat = false;
  const auto number = static_cast<std::uint32_t>(field.patterns.size());
  if (field.index.try_emplace(key_of(condition.test), number).second) {
    field.patterns.push_back(pattern_of(condition.test));
  }
}

std::uint32_t Fields::lay_out() {
  std::uint32_t word = 0;
  const auto place = [&word](Field& field) {
    field.atom_word = word;
    word += field.words();
  };
  place(method_);
  place(path_);
  place(host_);
  for (auto& [name, field] : headers_) place(field);
  return word;
}

std::vector<const Field*> Fields::in_order() const {
  std::vector<const Field*> fields = {&method_, &path_, &host_};
  for (const auto& [name, field] : headers_) fields.push_back(&field);
  return fields;
}

Formula Fields::test_formula(const model::Test& test) const {
  if (test.attribute == Attribute::from) return callers_formula(test.callers);
  const Field& field = find(test);
  Formula atom;
  atom.kind = Formula::Kind::atom;
  atom.bit = field.atom_word * 64 + field.index.at(key_of(test));
  return test.op == Operator::absent ? negated(std::move(atom)) : atom;
}

Formula Fields::formula(const Condition& condition) const {
  if (condition.kind == Condition::Kind::test) return test_formula(condition.test);
  if (condition.kind == Condition::Kind::negation) return negated(formula(condition.children.front()));
  Formula out;
  out.kind = condition.kind == Condition::Kind::all ? Formula::Kind::all : Formula::Kind::any;
  for (const Condition& child : condition.children) out.children.push_back(formula(child));
  return out;
}

std::size_t count_tests(const Formula& formula) {
  if (formula.children.empty()) return 1;
  std::size_t sum = 0;
  for (const Formula& child : formula.children) sum += count_tests(child);
  return sum;
}

Formula callers_formula(const model::Callers& callers) {
  Formula out;
  if (callers.kind == model::Callers::Kind::any) return out;
  if (callers.kind != model::Callers::Kind::identities) {
    out.kind = Formula::Kind::has_peer;
    return callers.kind == model::Callers::Kind::unauthenticated ? negated(std::move(out)) : out;
  }
  out.kind = Formula::Kind::any;
  for (const model::IdentityId id : callers.identities) {
    Formula identity;
    identity.kind = Formula::Kind::identity;
    identity.bit = id;
    out.children.push_back(std::move(identity));
  }
  return out;
}

}  // namespace heddle::plan
