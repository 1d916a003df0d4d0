#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "compiler/model/policy.h"
#include "compiler/plan/automaton.h"
#include "compiler/plan/plan.h"

namespace heddle::plan {

/// One string of a request, and everything that one service asks of it.
struct Field {
  model::Attribute attribute = model::Attribute::path;
  std::string name;  // of the header, query parameter or cookie; else empty
  std::vector<Pattern> patterns;
  std::vector<source::Span> places;            // of the patterns, in the policy
  std::map<std::string, std::uint32_t> index;  // test as text -> pattern
  bool may_repeat = true;                      // until a value is tested
  bool is_list = false;                        // asked for an element: `has`
  std::uint32_t atom_word = 0;

  [[nodiscard]] std::uint32_t words() const {
    return static_cast<std::uint32_t>((patterns.size() + 63) / 64);
  }
};

/// The fields of one service: method, path, host, then headers, query parameters and cookies by name. First every condition is
/// collected, then the bits are laid out, then conditions become formulas over them.
class Fields {
 public:
  Fields();

  void collect(const model::Condition& condition);
  /// A value is asked for as a whole.
  void collect(const model::RequestKey& key);
  /// Its place in `in_order`, if it is a string of the head.
  [[nodiscard]] std::uint32_t number_of(const model::RequestKey& key) const;
  /// Gives every field its words; the number of words in all.
  std::uint32_t lay_out();
  [[nodiscard]] Formula formula(const model::Condition& condition) const;

  /// The strings of a head.
  [[nodiscard]] std::vector<const Field*> in_order() const;
  /// The client's address, as 16 bytes, and the port dialled, as 2: strings like the others, of a connection.
  [[nodiscard]] const Field& address() const { return address_; }
  [[nodiscard]] const Field& port() const { return port_; }

 private:
  [[nodiscard]] const Field& find(model::Attribute attribute, const std::string& name) const;
  Field& find_or_add(model::Attribute attribute, const std::string& name);
  [[nodiscard]] Formula test_formula(const model::Test& test) const;

  Field method_;
  Field path_;
  Field host_;
  Field address_;
  Field port_;
  std::map<std::pair<model::Attribute, std::string>, Field> named_;
};

Formula callers_formula(const model::Callers& callers);

}  // namespace heddle::plan
