#pragma once

#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "compiler/plan/chooser.h"
#include "compiler/plan/fields.h"
#include "compiler/plan/plan.h"

namespace heddle::plan {

/// Entries that a table of the bundle may have.
inline constexpr std::size_t words_limit = std::size_t{1} << 24;

/// Where the lists of one chooser are, for the rows of one slot: a word for each class.
using ListWords = std::vector<hd_u64>;

/// Writes choosers into the tables.
class ChoiceWriter {
 public:
  explicit ChoiceWriter(Tables& tables) : tables_(tables) {}

  /// Its number in hd_choosers; HD_NONE: there is none. The words that belong in the rows of fields are added to `columns`.
  std::uint32_t write(const std::optional<Chooser>& chooser, const Fields& fields,
                      std::map<std::uint32_t, std::vector<ListWords>>& columns);

 private:
  /// Those of the keys that are wanted, one behind the other: where they begin, and how many there are.
  std::pair<hd_u32, hd_u32> write_keys(const Chooser& chooser, const std::vector<hd_key>& keys,
                                       bool (Chooser::Key::*wanted)() const);
  /// The entry where a walk through the formula begins.
  std::uint32_t write_tests(const Formula& formula, const Fields& fields, std::uint32_t yes, std::uint32_t no);
  std::uint32_t write_test(std::uint32_t slot, std::uint32_t bit, std::uint32_t yes, std::uint32_t no);

  Tables& tables_;
  std::map<std::tuple<std::uint32_t, std::uint32_t, std::uint32_t, std::uint32_t>, std::uint32_t> written_;
};

}  // namespace heddle::plan
