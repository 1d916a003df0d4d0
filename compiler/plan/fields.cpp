#include "compiler/plan/fields.h"

#include <algorithm>
#include <array>
#include <span>

namespace heddle::plan {
namespace {

using model::Attribute;
using model::Condition;
using model::Operator;

/// Names of hosts, which have no case.
bool has_labels(Attribute attribute) {
  return attribute == Attribute::host || attribute == Attribute::sni;
}

/// In the value's normal form, where that is not the form on the wire.
std::vector<PatternByte> body_of(const model::Test& test) {
  if (test.ignoring_case || has_labels(test.attribute)) return caseless_bytes(test.literal);
  return exact_bytes(test.literal);
}

bool has_escapes(Attribute attribute) {
  return attribute == Attribute::path || attribute == Attribute::query;
}

/// From the beginning of a value it is known where its escapes are.
std::vector<PatternByte> body_from_beginning(const model::Test& test) {
  if (has_escapes(test.attribute) && !test.ignoring_case) return path_bytes(test.literal);
  return body_of(test);
}

Pattern under(const model::Test& test) {
  Pattern pattern{.body = body_from_beginning(test)};
  if (has_labels(test.attribute)) {
    pattern.begin = Pattern::Begin::after_dot;
    return pattern;
  }
  const bool closed = !test.literal.empty() && test.literal.back() == '/';
  pattern.end = closed ? Pattern::End::anywhere : Pattern::End::at_segment;
  return pattern;
}

/// So many bytes of which the first bits are said.
Pattern of_bits(std::span<const std::uint8_t> bytes, std::size_t bits) {
  model::Regex whole;
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    const std::size_t said = std::min<std::size_t>(8, bits - std::min(bits, at * 8));
    model::Regex byte;
    byte.kind = model::Regex::Kind::bytes;
    const unsigned wanted = bytes[at];
    for (unsigned value = 0; value < 256; ++value) byte.bytes[value] = value >> (8 - said) == wanted >> (8 - said);
    whole.children.push_back(std::move(byte));
  }
  return {.body = {}, .graph = graph_of(whole)};
}

model::Regex one_of(const model::Bytes& bytes) {
  model::Regex one;
  one.kind = model::Regex::Kind::bytes;
  one.bytes = bytes;
  return one;
}

model::Regex any_number_of(const model::Bytes& bytes) {
  model::Regex repeat;
  repeat.kind = model::Regex::Kind::repeat;
  repeat.children = {one_of(bytes)};
  return repeat;
}

model::Regex sequence_of(std::vector<model::Regex> children) {
  model::Regex sequence;
  sequence.children = std::move(children);
  return sequence;
}

model::Regex perhaps(model::Regex regex) {
  model::Regex choice;
  choice.kind = model::Regex::Kind::choice;
  choice.children = {model::Regex{}, std::move(regex)};
  return choice;
}

/// One element of a list that is separated by commas, blanks around it.
Pattern element_of(const model::Test& test) {
  model::Bytes all, comma, blanks;
  all.set();
  comma.set(',');
  blanks.set(' ').set('\t');
  std::vector<model::Regex> parts = {perhaps(sequence_of({any_number_of(all), one_of(comma)})), any_number_of(blanks)};
  for (const PatternByte& byte : body_of(test)) {
    model::Bytes either;
    parts.push_back(one_of(either.set(byte.one).set(byte.other)));
  }
  parts.push_back(any_number_of(blanks));
  parts.push_back(perhaps(sequence_of({one_of(comma), any_number_of(all)})));
  return {.body = {}, .graph = graph_of(sequence_of(std::move(parts)))};
}

Pattern pattern_of(const model::Test& test) {
  if (test.attribute == Attribute::address) return of_bits(test.range.first.bytes, test.range.bits);
  if (test.attribute == Attribute::port) {
    const std::array<std::uint8_t, 2> bytes = {static_cast<std::uint8_t>(test.port >> 8),
                                               static_cast<std::uint8_t>(test.port & 255)};
    return of_bits(bytes, 16);
  }
  using Begin = Pattern::Begin;
  using End = Pattern::End;
  const bool escapes = has_escapes(test.attribute) && !test.ignoring_case;
  switch (test.op) {
    case Operator::present:
    case Operator::absent:
      return {.body = {}, .end = End::anywhere};
    case Operator::is:
      return {.body = body_from_beginning(test)};
    case Operator::under:
      return under(test);
    case Operator::starts:
      return {.body = body_from_beginning(test), .end = End::anywhere};
    case Operator::ends:
      return {.body = body_of(test), .end = End::here, .begin = Begin::anywhere, .escapes = escapes};
    case Operator::contains:
      return {.body = body_of(test), .end = End::anywhere, .begin = Begin::anywhere, .escapes = escapes};
    case Operator::like:
      return {.body = {}, .graph = graph_of_like(test.literal, test.ignoring_case)};
    case Operator::has:
      return element_of(test);
    case Operator::matches:
      break;
  }
  return {.body = {}, .graph = graph_of(*test.regex), .escapes = escapes};
}

bool asks_presence(const model::Test& test) {
  return test.op == Operator::present || test.op == Operator::absent;
}

/// `absent` is the negation of `present` and shares its bit.
std::string key_of(const model::Test& test) {
  if (asks_presence(test)) return "present";
  return std::to_string(static_cast<int>(test.op)) + (test.ignoring_case ? "i " : " ") + test.literal;
}

Formula negated(Formula formula) {
  Formula out;
  out.kind = Formula::Kind::negation;
  out.children.push_back(std::move(formula));
  return out;
}

bool is_string_test(const Formula& formula) {
  return formula.kind == Formula::Kind::atom || formula.kind == Formula::Kind::line_atom;
}

}  // namespace

Fields::Fields() {
  method_.attribute = Attribute::method;
  host_.attribute = Attribute::host;
  address_.attribute = Attribute::address;
  port_.attribute = Attribute::port;
  method_.may_repeat = false;
  path_.may_repeat = false;
  host_.may_repeat = false;
}

Field& Fields::find_or_add(Attribute attribute, const std::string& name) {
  if (attribute == Attribute::method) return method_;
  if (attribute == Attribute::path) return path_;
  if (attribute == Attribute::host) return host_;
  if (attribute == Attribute::address) return address_;
  if (attribute == Attribute::port) return port_;
  Field& field = named_[{attribute, name}];
  field.attribute = attribute;
  field.name = name;
  return field;
}

const Field& Fields::find(Attribute attribute, const std::string& name) const {
  if (attribute == Attribute::method) return method_;
  if (attribute == Attribute::path) return path_;
  if (attribute == Attribute::host) return host_;
  if (attribute == Attribute::address) return address_;
  if (attribute == Attribute::port) return port_;
  return named_.at({attribute, name});
}

void Fields::collect(const Condition& condition) {
  for (const Condition& child : condition.children) collect(child);
  if (condition.kind != Condition::Kind::test || condition.test.attribute == Attribute::from) return;
  if (condition.test.attribute == Attribute::filter) {
    filters_ |= std::uint32_t{1} << condition.test.filter;
    return;
  }
  asks_address_ = asks_address_ || condition.test.attribute == Attribute::address;
  Field& field = find_or_add(condition.test.attribute, condition.test.name);
  const bool element = condition.test.op == Operator::has;
  if (!asks_presence(condition.test) && !element) field.may_repeat = false;
  field.is_list = field.is_list || element;
  const auto number = static_cast<std::uint32_t>(field.patterns.size());
  if (field.index.try_emplace(key_of(condition.test), number).second) {
    field.patterns.push_back(pattern_of(condition.test));
    field.spans.push_back(condition.span);
  }
}

/// The other keys are of the connection.
void Fields::collect(const model::RequestKey& key) {
  asks_address_ = asks_address_ || key.attribute == Attribute::address;
  if (!key.name.empty()) find_or_add(key.attribute, key.name).may_repeat = false;
}

std::uint32_t Fields::number_of(const model::RequestKey& key) const {
  const Field* wanted = &find(key.attribute, key.name);
  const auto fields = in_order();
  return static_cast<std::uint32_t>(std::find(fields.begin(), fields.end(), wanted) - fields.begin());
}

void Fields::number() {
  const auto give = [this](Field& field, std::uint32_t slot) {
    field.slot = slot;
    field.asked_by_code.resize(field.patterns.size());
    field.asked_by_tables.resize(field.patterns.size());
    by_slot_[slot] = &field;
  };
  give(method_, HD_FIELD_METHOD);
  give(path_, HD_FIELD_PATH);
  give(host_, HD_FIELD_HOST);
  give(address_, HD_SLOT_ADDRESS);
  give(port_, HD_SLOT_PORT);
  std::uint32_t next = HD_FIELD_FIRST_HEADER;
  for (auto& [name, field] : named_) {
    give(field, next < HD_FIELDS_MAX ? next : HD_SLOT_ALL + next);  // too many are an error, but later
    ++next;
  }
}

void Fields::ask_by_code(const Formula& formula) {
  if (is_string_test(formula)) by_slot_.at(formula.slot)->asked_by_code[formula.bit] = true;
  for (const Formula& child : formula.children) ask_by_code(child);
}

void Fields::ask_by_tables(const Formula& formula) {
  if (formula.kind == Formula::Kind::atom) by_slot_.at(formula.slot)->asked_by_tables[formula.bit] = true;
  // Of several lines there are several rows, but one atom.
  if (formula.kind == Formula::Kind::line_atom) by_slot_.at(formula.slot)->asked_by_code[formula.bit] = true;
  for (const Formula& child : formula.children) ask_by_tables(child);
}

void Fields::to_atoms(Formula& formula) const {
  if (is_string_test(formula)) {
    const Field& field = at(formula.slot);
    formula.bit = field.atom_word * 64 + field.bits[formula.bit];
  }
  for (Formula& child : formula.children) to_atoms(child);
}

std::uint32_t Fields::lay_out() {
  std::uint32_t word = 0;
  const auto place = [&word](Field& field) {
    field.bits.assign(field.patterns.size(), HD_NONE);
    std::uint32_t next = 0;
    for (std::size_t p = 0; p < field.patterns.size(); ++p) {
      if (field.asked_by_code[p]) field.bits[p] = next++;
    }
    field.atom_word = word;
    field.atom_words = (next + 63) / 64;
    word += field.atom_words;
    for (std::size_t p = 0; p < field.patterns.size(); ++p) {
      if (field.asked_by_tables[p] && !field.asked_by_code[p]) field.bits[p] = next++;
    }
    field.words = (next + 63) / 64;
  };
  place(method_);
  place(path_);
  place(host_);
  place(address_);
  place(port_);
  for (auto& [name, field] : named_) place(field);
  return word;
}

std::vector<const Field*> Fields::in_order() const {
  std::vector<const Field*> fields = {&method_, &path_, &host_};
  for (const auto& [name, field] : named_) fields.push_back(&field);
  return fields;
}

Formula Fields::test_formula(const model::Test& test) const {
  if (test.attribute == Attribute::from) return callers_formula(test.callers);
  Formula atom;
  if (test.attribute == Attribute::filter) {
    atom.kind = Formula::Kind::filter;
    atom.bit = test.filter;
    return atom;
  }
  const Field& field = find(test.attribute, test.name);
  atom.kind = field.is_list && field.may_repeat ? Formula::Kind::line_atom : Formula::Kind::atom;
  atom.slot = field.slot;
  atom.bit = field.index.at(key_of(test));
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

Fields collect_fields(const model::Policy& policy, model::ServiceId id) {
  const model::Service& service = policy.services[id];
  Fields fields;
  const auto collect = [&fields](const auto& rules) {
    for (const auto& rule : rules) {
      if (rule.when) fields.collect(*rule.when);
    }
  };
  std::vector<model::ServiceId> judged = model::other_targets(policy, id);
  judged.push_back(id);
  for (const model::ServiceId each : judged) {
    const model::Service& of = policy.services[each];
    if (of.access) collect(of.access->rules);
    if (of.access) collect(of.access->audits);
    if (of.audit) collect(of.audit->rules);
    if (of.maglev_by) fields.collect(*of.maglev_by);
  }
  collect(service.limits);
  for (const model::Limit& limit : service.limits) {
    for (const model::RequestKey& part : limit.key) fields.collect(part);
  }
  if (!service.route) return fields;
  collect(service.route->rules);
  for (const model::RouteRule& rule : service.route->rules) {
    if (rule.target.by) fields.collect(*rule.target.by);
  }
  return fields;
}

}  // namespace heddle::plan
