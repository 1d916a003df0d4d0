#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "compiler/model/policy.h"
#include "compiler/plan/automaton.h"
#include "compiler/plan/plan.h"

namespace heddle::plan {

/// One string of a request, and everything that one service asks of it.
struct Field {
  std::string name;  // of the header, else empty
  std::vector<Pattern> patterns;
  std::map<std::string, std::uint32_t> index;  // test as text -> pattern
  bool may_repeat = true;                      // until a value is tested
  std::uint32_t atom_word = 0;

  [[nodiscard]] std::uint32_t words() const {
    return static_cast<std::uint32_t>((patterns.size() + 63) / 64);
  }
};

/// The fields of one service: method, path, host, then its headers by name. First every condition is
/// collected, then the bits are laid out, then conditions become formulas over them.
class Fields {
 public:
  Fields();

  void collect(const model::Condition& condition);
  /// Gives every field its words; the number of words in all.
  std::uint32_t lay_out();
  [[nodiscard]] Formula formula(const model::Condition& condition) const;

  [[nodiscard]] std::vector<const Field*> in_order() const;

 private:
  [[nodiscard]] const Field& find(const model::Test& test) const;
  Field& find_or_add(const model::Test& test);
  [[nodiscard]] Formula test_formula(const model::Test& test) const;

  Field method_;
  Field path_;
  Field host_;
  std::map<std::string, Field> headers_;
};

Formula callers_formula(const model::Callers& callers);

}  // namespace heddle::plan
