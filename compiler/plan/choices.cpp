#include "compiler/plan/choices.h"

#include <algorithm>

namespace heddle::plan {

std::uint32_t ChoiceWriter::write(const std::optional<Chooser>& chooser, const Fields& fields,
                                  std::map<std::uint32_t, std::vector<ListWords>>& columns) {
  if (!chooser) return HD_NONE;
  const auto first = static_cast<hd_u32>(tables_.alternatives.size());
  for (const Alternative& alternative : chooser->alternatives) {
    tables_.alternatives.push_back(
        {alternative.rule, write_tests(alternative.rest, fields, HD_TEST_HOLDS, HD_TEST_FAILS)});
  }
  ListWords lists;
  for (const std::vector<std::uint32_t>& list : chooser->lists) {
    lists.push_back(tables_.candidates.size() | std::uint64_t{list.size()} << 32);
    for (const std::uint32_t number : list) tables_.candidates.push_back(first + number);
  }
  std::vector<hd_key> keys;
  for (const Chooser::Key& key : chooser->keys) {
    ListWords words;
    for (const std::uint32_t list : key.lists) words.push_back(lists[list]);
    if (key.slot >= HD_SLOTS) {
      keys.push_back({key.slot, static_cast<hd_u32>(tables_.sets.size())});
      tables_.sets.insert(tables_.sets.end(), words.begin(), words.end());
      continue;
    }
    std::vector<ListWords>& column = columns[key.slot];
    keys.push_back({key.slot, fields.at(key.slot).words + static_cast<hd_u32>(column.size())});
    column.push_back(std::move(words));
  }
  hd_chooser entry{};
  std::tie(entry.first_key, entry.key_count) = write_keys(*chooser, keys, &Chooser::Key::is_for_workloads);
  const auto for_all = [](const Chooser::Key& key) { return key.is_for_workloads() && key.is_for_peers(); };
  std::tie(entry.first_peer_key, entry.peer_key_count) = std::tie(entry.first_key, entry.key_count);
  if (!std::ranges::all_of(chooser->keys, for_all))
    std::tie(entry.first_peer_key, entry.peer_key_count) = write_keys(*chooser, keys, &Chooser::Key::is_for_peers);
  tables_.choosers.push_back(entry);
  return static_cast<std::uint32_t>(tables_.choosers.size() - 1);
}

std::pair<hd_u32, hd_u32> ChoiceWriter::write_keys(const Chooser& chooser, const std::vector<hd_key>& keys,
                                                   bool (Chooser::Key::*wanted)() const) {
  const auto first = static_cast<hd_u32>(tables_.keys.size());
  for (std::size_t at = 0; at < keys.size(); ++at) {
    if ((chooser.keys[at].*wanted)()) tables_.keys.push_back(keys[at]);
  }
  return {first, static_cast<hd_u32>(tables_.keys.size()) - first};
}

std::uint32_t ChoiceWriter::write_tests(const Formula& formula, const Fields& fields, std::uint32_t yes,
                                        std::uint32_t no) {
  switch (formula.kind) {
    case Formula::Kind::always:
      return yes;
    case Formula::Kind::atom:
      return write_test(formula.slot, fields.at(formula.slot).bits[formula.bit], yes, no);
    case Formula::Kind::line_atom:
      return write_test(HD_SLOT_ATOM, fields.at(formula.slot).atom_word * 64 + fields.at(formula.slot).bits[formula.bit], yes, no);
    case Formula::Kind::identity:
      return write_test(HD_SLOT_CALLER, formula.bit, yes, no);
    case Formula::Kind::has_peer:
      return write_test(HD_SLOT_PEER, 0, yes, no);
    case Formula::Kind::filter:
      return write_test(HD_SLOT_FILTER, formula.bit, yes, no);
    case Formula::Kind::negation:
      return write_tests(formula.children.front(), fields, no, yes);
    case Formula::Kind::all:
      for (auto child = formula.children.rbegin(); child != formula.children.rend(); ++child)
        yes = write_tests(*child, fields, yes, no);
      return yes;
    case Formula::Kind::any:
      for (auto child = formula.children.rbegin(); child != formula.children.rend(); ++child)
        no = write_tests(*child, fields, yes, no);
      return no;
  }
  return no;
}

/// Equal ones, with all that follows, are one: of many rules that ask for a method there are few different ends.
std::uint32_t ChoiceWriter::write_test(std::uint32_t slot, std::uint32_t bit, std::uint32_t yes, std::uint32_t no) {
  const auto [found, is_new] =
      written_.try_emplace({slot, bit, yes, no}, static_cast<std::uint32_t>(tables_.tests.size()));
  if (is_new) tables_.tests.push_back({slot, bit, yes, no});
  return found->second;
}

}  // namespace heddle::plan
