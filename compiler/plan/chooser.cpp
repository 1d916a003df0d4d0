#include "compiler/plan/chooser.h"

#include <algorithm>
#include <array>
#include <tuple>

namespace heddle::plan {
namespace {

using Kind = Formula::Kind;
using Numbers = std::vector<std::uint32_t>;

/// Numbers in the lists of one chooser. Code is better past that, or an error.
constexpr std::size_t listed_limit = std::size_t{1} << 22;

/// Of a leaf: how often it is asked for, and in how many classes it holds.
struct Popularity {
  std::size_t uses = 0;
  std::size_t classes = 0;
};
using Popularities = std::map<Leaf, Popularity>;

bool may_be_key(const Formula& formula) {
  return formula.kind == Kind::atom || formula.kind == Kind::identity;
}

Leaf leaf_of(const Formula& formula) {
  return {formula.kind == Kind::identity ? std::uint32_t{HD_SLOT_CALLER} : formula.slot, formula.bit};
}

void count_uses(const Formula& formula, Popularities& popularities) {
  if (formula.kind == Kind::negation) return;
  if (may_be_key(formula)) ++popularities[leaf_of(formula)].uses;
  for (const Formula& child : formula.children) count_uses(child, popularities);
}

void count_classes(const Classes& classes, Popularities& popularities) {
  for (const auto& [slot, sets] : classes) {
    for (const Numbers& set : sets) {
      for (const std::uint32_t bit : set) {
        const auto found = popularities.find({slot, bit});
        if (found != popularities.end()) ++found->second.classes;
      }
    }
  }
}

/// Leaves of which one holds wherever the formula does.
struct Cover {
  std::vector<Leaf> leaves;
  bool exact = false;  // and the formula wherever one of them does
  std::size_t uses = 0;
  std::size_t classes = 0;

  /// Rare leaves make short lists, of few classes few of them.
  [[nodiscard]] bool is_better_than(const Cover& other) const {
    return std::tie(uses, classes) < std::tie(other.uses, other.classes);
  }
};

std::optional<Cover> cover_of(const Formula& formula, const Popularities& popularities);

std::optional<Cover> cover_of_any(const Formula& formula, const Popularities& popularities) {
  Cover all;
  all.exact = true;
  for (const Formula& child : formula.children) {
    const std::optional<Cover> cover = cover_of(child, popularities);
    if (!cover) return std::nullopt;
    all.leaves.insert(all.leaves.end(), cover->leaves.begin(), cover->leaves.end());
    all.exact = all.exact && cover->exact;
    all.uses += cover->uses;
    all.classes += cover->classes;
  }
  return all;
}

/// The best of its parts covers an `all`. Its place; none: no part has a cover.
std::optional<std::pair<Cover, std::size_t>> best_part(const Formula& formula, const Popularities& popularities) {
  std::optional<std::pair<Cover, std::size_t>> best;
  for (std::size_t at = 0; at < formula.children.size(); ++at) {
    std::optional<Cover> cover = cover_of(formula.children[at], popularities);
    if (cover && (!best || cover->is_better_than(best->first))) best = {*std::move(cover), at};
  }
  return best;
}

std::optional<Cover> cover_of(const Formula& formula, const Popularities& popularities) {
  if (formula.kind == Kind::any) return cover_of_any(formula, popularities);
  if (formula.kind == Kind::all) {
    auto best = best_part(formula, popularities);
    if (!best) return std::nullopt;
    best->first.exact = false;
    return std::move(best->first);
  }
  if (!may_be_key(formula)) return std::nullopt;
  const Popularity& popularity = popularities.at(leaf_of(formula));
  return Cover{{leaf_of(formula)}, true, popularity.uses, popularity.classes};
}

Formula without(Formula all, std::size_t part) {
  all.children.erase(all.children.begin() + static_cast<std::ptrdiff_t>(part));
  return normal_form(all);
}

Alternative make_alternative(std::uint32_t rule, const Formula& when, const Popularities& popularities) {
  if (when.kind == Kind::all) {
    auto best = best_part(when, popularities);
    if (!best) return {rule, {}, when};
    return {rule, std::move(best->first.leaves), best->first.exact ? without(when, best->second) : when};
  }
  std::optional<Cover> cover = cover_of(when, popularities);
  if (!cover) return {rule, {}, when};
  return {rule, std::move(cover->leaves), cover->exact ? Formula() : when};
}

/// A rule that is an `any` holds in several ways, each with its own keys.
std::vector<Alternative> make_alternatives(const std::vector<Decision>& decisions, const Classes& classes) {
  std::vector<std::pair<std::uint32_t, Formula>> ways;
  for (const Decision& decision : decisions) {
    Formula when = normal_form(decision.when);
    if (when.kind == Kind::any) {
      for (Formula& child : when.children) ways.emplace_back(decision.rule, std::move(child));
    } else {
      ways.emplace_back(decision.rule, std::move(when));
    }
  }
  Popularities popularities;
  for (const auto& [rule, when] : ways) count_uses(when, popularities);
  count_classes(classes, popularities);
  std::vector<Alternative> out;
  for (const auto& [rule, when] : ways) out.push_back(make_alternative(rule, when, popularities));
  return out;
}

class ListMaker {
 public:
  ListMaker(Chooser& out, const Classes& classes) : out_(out), classes_(classes) {}

  /// False: too much.
  bool run() {
    for (std::uint32_t number = 0; number < out_.alternatives.size(); ++number) {
      const Alternative& alternative = out_.alternatives[number];
      for (const auto& [slot, bit] : alternative.keys) asked_[slot][bit].push_back(number);
      if (alternative.keys.empty()) of_all_.push_back(number);
    }
    for (const auto& [slot, by_bit] : asked_) {
      Chooser::Key key{slot, {}};
      for (const Numbers& set : classes_.at(slot)) key.lists.push_back(add(list_of(set, by_bit)));
      if (listed_ > listed_limit || !finish(std::move(key))) return false;
      if (slot == HD_SLOT_CALLER && !add_identities(by_bit)) return false;
    }
    return of_all_.empty() || finish({HD_SLOT_ALL, {add(cut(of_all_))}});
  }

 private:
  using ByBit = std::map<std::uint32_t, Numbers>;

  [[nodiscard]] Numbers list_of(const Numbers& set, const ByBit& by_bit) const {
    Numbers list;
    if (listed_ > listed_limit) return list;
    for (const std::uint32_t bit : set) {
      const auto found = by_bit.find(bit);
      if (found != by_bit.end()) list.insert(list.end(), found->second.begin(), found->second.end());
    }
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
    return cut(std::move(list));
  }

  /// Behind one that asks for nothing more nobody is reached.
  [[nodiscard]] Numbers cut(Numbers list) const {
    const auto last = std::find_if(list.begin(), list.end(), [this](std::uint32_t number) {
      return out_.alternatives[number].rest.kind == Kind::always;
    });
    if (last != list.end()) list.erase(last + 1, list.end());
    return list;
  }

  /// Of who is no workload one class is not enough: nobody knows which identities go together.
  bool add_identities(const ByBit& by_bit) {
    for (const auto& [bit, numbers] : by_bit) {
      if (!finish({HD_SLOT_IDENTITY + bit, {add(list_of({bit}, by_bit))}}) || listed_ > listed_limit) return false;
    }
    return true;
  }

  std::uint32_t add(Numbers list) {
    const auto [found, is_new] = numbers_.try_emplace(std::move(list), static_cast<std::uint32_t>(out_.lists.size()));
    if (!is_new) return found->second;
    out_.lists.push_back(found->first);
    listed_ += found->first.size();
    return found->second;
  }

  /// What one request may cost at most grows by the longest of the lists.
  bool finish(Chooser::Key key) {
    std::size_t longest = 0;
    for (const std::uint32_t number : key.lists) {
      std::size_t cost = 0;
      for (const std::uint32_t alternative : out_.lists[number]) cost += 1 + count_tests(out_.alternatives[alternative].rest);
      longest = std::max(longest, cost);
    }
    if (key.is_for_workloads()) cost_ += longest + 1;
    if (key.is_for_peers()) peer_cost_ += longest + 1;
    out_.keys.push_back(std::move(key));
    return std::max(cost_, peer_cost_) < HD_CHOICE_MAX;
  }

  Chooser& out_;
  const Classes& classes_;
  std::map<std::uint32_t, ByBit> asked_;  // by slot and bit: whose key it is
  Numbers of_all_;
  std::map<Numbers, std::uint32_t> numbers_;
  std::size_t listed_ = 0;
  std::size_t cost_ = 0;
  std::size_t peer_cost_ = 0;
};

}  // namespace

std::optional<Chooser> make_chooser(const std::vector<Decision>& decisions, const Classes& classes) {
  Chooser chooser;
  chooser.alternatives = make_alternatives(decisions, classes);
  if (!ListMaker(chooser, classes).run()) return std::nullopt;
  return chooser;
}

}  // namespace heddle::plan
