#include "compiler/plan/maglev.h"

#include <algorithm>
#include <string>

#include "compiler/plan/hash.h"

namespace heddle::plan {
namespace {

/// Primes. Two sizes only: where a pool outgrows one, most values move.
constexpr std::uint64_t small_size = 4093;
constexpr std::uint64_t large_size = 65521;
/// Slots that the lightest endpoint has at least, as long as there are enough.
constexpr std::uint64_t least_slots = 64;
constexpr std::uint32_t nobody = 0xffffffff;

/// The finalizer of splitmix64.
std::uint64_t mix(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

/// One endpoint while slots are given away: it asks for them in an order of its own.
struct Bidder {
  std::uint32_t place = 0;
  std::uint64_t weight = 1;
  std::uint64_t next = 0;  // the slot that it asks for
  std::uint64_t skip = 1;
  std::uint64_t served = 0;  // turns that it has had, by the heaviest endpoint's weight
};

Bidder bidder_of(const model::Endpoint& endpoint, std::uint32_t place, std::uint64_t size) {
  std::string text(endpoint.address.ip.bytes.begin(), endpoint.address.ip.bytes.end());
  text += static_cast<char>(endpoint.address.port >> 8);
  text += static_cast<char>(endpoint.address.port & 255);
  const std::uint64_t first = mix(fnv1a(text));
  const std::uint64_t second = mix(first ^ fnv1a("step"));
  return {place, endpoint.weight, first % size, 1 + second % (size - 1)};
}

std::uint64_t size_for(const std::vector<const model::Endpoint*>& members) {
  std::uint64_t sum = 0, lightest = members.front()->weight;
  for (const model::Endpoint* one : members) {
    sum += one->weight;
    lightest = std::min<std::uint64_t>(lightest, one->weight);
  }
  return sum * least_slots <= small_size * lightest ? small_size : large_size;
}

}  // namespace

std::vector<std::uint32_t> maglev_slots(const std::vector<const model::Endpoint*>& members) {
  if (members.empty()) return {};
  const std::uint64_t size = size_for(members);
  std::vector<std::uint32_t> order(members.size());
  for (std::uint32_t place = 0; place < order.size(); ++place) order[place] = place;
  std::ranges::sort(order, {}, [&](std::uint32_t place) { return members[place]->address; });
  std::vector<Bidder> bidders;
  std::uint64_t heaviest = 0;
  for (const std::uint32_t place : order) {
    bidders.push_back(bidder_of(*members[place], place, size));
    heaviest = std::max(heaviest, bidders.back().weight);
  }
  std::vector<std::uint32_t> slots(size, nobody);
  std::uint64_t given = 0;
  for (std::uint64_t round = 1;; ++round) {
    for (Bidder& bidder : bidders) {
      if (round * bidder.weight < bidder.served) continue;
      bidder.served += heaviest;
      while (slots[bidder.next] != nobody) bidder.next = (bidder.next + bidder.skip) % size;
      slots[bidder.next] = bidder.place;
      if (++given == size) return slots;
    }
  }
}

}  // namespace heddle::plan
