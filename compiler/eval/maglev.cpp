#include "compiler/eval/maglev.h"

#include <algorithm>
#include <string>

#include "compiler/eval/draw.h"

namespace heddle::eval {
namespace {

using Slots = MaglevSlots::Slots;

/// The slots that an endpoint wants, the dearest first: all of them, in steps.
class Wishes {
 public:
  Wishes(const model::Endpoint& endpoint, std::uint64_t slots) : slots_(slots) {
    std::string name(endpoint.address.ip.bytes.begin(), endpoint.address.ip.bytes.end());
    name.push_back(static_cast<char>(endpoint.address.port / 256));
    name.push_back(static_cast<char>(endpoint.address.port % 256));
    begin_ = mixed_draw(0, name);
    step_ = mixed_draw(begin_, "step") % (slots - 1) + 1;
  }

  [[nodiscard]] std::size_t operator[](std::uint64_t number) const { return (begin_ % slots_ + number * step_) % slots_; }

 private:
  std::uint64_t slots_ = 0;
  std::uint64_t begin_ = 0;
  std::uint64_t step_ = 0;
};

/// 4093 as long as the lightest endpoint's share of them is 64 at least; else 65521.
std::uint64_t number_of_slots(const Slots& endpoints) {
  std::uint64_t sum = 0;
  for (const model::Endpoint* one : endpoints) sum += one->weight;
  const auto* lightest = *std::ranges::min_element(endpoints, {}, &model::Endpoint::weight);
  return 4093 * std::uint64_t{lightest->weight} >= 64 * sum ? 4093 : 65521;
}

Slots slots_of(Slots endpoints) {
  if (endpoints.empty()) return {};
  std::ranges::sort(endpoints, {}, &model::Endpoint::address);
  const std::uint64_t count = number_of_slots(endpoints);
  const std::uint64_t most = (*std::ranges::max_element(endpoints, {}, &model::Endpoint::weight))->weight;
  std::vector<Wishes> wishes;
  for (const model::Endpoint* one : endpoints) wishes.emplace_back(*one, count);
  std::vector<std::size_t> granted(endpoints.size()), asked(endpoints.size());
  Slots slots(count);
  std::size_t left = count;
  // A turn in round n has who was not granted more than its part of n slots so far, the whole being the heaviest one's.
  for (std::uint64_t round = 1; left > 0; ++round) {
    for (std::size_t e = 0; e < endpoints.size() && left > 0; ++e) {
      if (granted[e] * most > round * endpoints[e]->weight) continue;
      while (slots[wishes[e][asked[e]]] != nullptr) ++asked[e];
      slots[wishes[e][asked[e]]] = endpoints[e];
      ++granted[e];
      --left;
    }
  }
  return slots;
}

}  // namespace

const Slots& MaglevSlots::of(const model::Policy& policy, const Pool& pool) {
  const std::int64_t subset = pool.subset ? std::int64_t{*pool.subset} : -1;
  const auto [found, is_new] = found_.try_emplace({pool.service, subset});
  if (is_new) found->second = slots_of(endpoints_of(policy, pool));
  return found->second;
}

std::size_t first_slot(std::uint64_t draw, std::size_t slots) {
  return static_cast<std::size_t>(((mixed_draw(draw, "maglev") >> 32) * slots) >> 32);
}

}  // namespace heddle::eval
