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
  std::vector<source::Span> spans;             // of the patterns, in the policy
  std::map<std::string, std::uint32_t> index;  // test as text -> pattern
  bool may_repeat = true;                      // until a value is tested
  bool is_list = false;                        // asked for an element: `has`
  std::uint32_t slot = 0;                      // enum hd_slot_number
  // Who looks at the bit of each pattern: the code, which has it among the atoms, or tests of tables. Else it has none.
  std::vector<bool> asked_by_code;
  std::vector<bool> asked_by_tables;
  // Laid out: a row has the bits for the code first.
  std::vector<std::uint32_t> bits;  // of each pattern; HD_NONE
  std::uint32_t atom_word = 0;
  std::uint32_t atom_words = 0;
  std::uint32_t words = 0;
};

/// The fields of one service: method, path, host, then headers, query parameters and cookies by name; the one of a tls service is
/// `sni`, in the place of the first header, behind three that it has not. First every condition is
/// collected, then conditions become formulas, whose atoms are patterns of slots; then whoever wants bits says so, and they are
/// laid out.
class Fields {
 public:
  Fields();

  void collect(const model::Condition& condition);
  /// A value is asked for as a whole.
  void collect(const model::RequestKey& key);
  /// Its place in `in_order`, if it is a string of the head.
  [[nodiscard]] std::uint32_t number_of(const model::RequestKey& key) const;
  /// The client's address is tested, or a key.
  [[nodiscard]] bool asks_address() const { return asks_address_; }
  /// Which filters are asked: one bit each.
  [[nodiscard]] std::uint32_t filters() const { return filters_; }
  /// Everything is collected: gives every field its slot.
  void number();
  [[nodiscard]] Formula formula(const model::Condition& condition) const;
  /// The code will look at these bits, or tables will.
  void ask_by_code(const Formula& formula);
  void ask_by_tables(const Formula& formula);
  /// Gives every field its words; the number of words of atoms in all.
  std::uint32_t lay_out();
  /// From patterns of slots to bits of hd_facts.
  void to_atoms(Formula& formula) const;

  /// The strings of a head.
  [[nodiscard]] std::vector<const Field*> in_order() const;
  /// The client's address, as 16 bytes, and the port dialled, as 2: strings like the others, of a connection.
  [[nodiscard]] const Field& address() const { return address_; }
  [[nodiscard]] const Field& port() const { return port_; }
  [[nodiscard]] const Field& at(std::uint32_t slot) const { return *by_slot_.at(slot); }

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
  std::map<std::uint32_t, Field*> by_slot_;
  std::uint32_t filters_ = 0;
  bool asks_address_ = false;
};

/// What is asked of whatever comes to the service: by its own rules, and by those of its targets that are asked, too. Not numbered.
Fields collect_fields(const model::Policy& policy, model::ServiceId id);

Formula callers_formula(const model::Callers& callers);

}  // namespace heddle::plan
