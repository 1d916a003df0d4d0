#include "compiler/plan/automaton.h"

#include <algorithm>
#include <map>
#include <unordered_map>

namespace heddle::plan {
namespace {

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

PatternByte either_case(char c) {
  const auto byte = static_cast<std::uint8_t>(c);
  return is_letter(c) ? PatternByte{byte, static_cast<std::uint8_t>(byte ^ 0x20)} : PatternByte{byte, byte};
}

/// Where a pattern stands: behind its first `position` bytes, or in one of the two loops.
using Item = std::uint64_t;
constexpr std::uint64_t loop_anything = 0xfffffff0;    // matched, whatever follows
constexpr std::uint64_t loop_before_dot = 0xfffffff1;  // may begin after the next `.`

constexpr Item item(std::uint32_t pattern, std::uint64_t position) {
  return static_cast<std::uint64_t>(pattern) << 32 | position;
}
constexpr std::uint32_t pattern_of(Item i) {
  return static_cast<std::uint32_t>(i >> 32);
}
constexpr std::uint64_t position_of(Item i) {
  return i & 0xffffffff;
}

using Items = std::vector<Item>;

struct ItemsHash {
  std::size_t operator()(const Items& items) const {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const Item i : items) hash = (hash ^ i) * 0x100000001b3;
    return hash;
  }
};

/// Subset construction. States are numbered in the order in which they are met, so equal patterns give equal
/// tables.
class Construction {
 public:
  explicit Construction(const std::vector<Pattern>& patterns) : patterns_(patterns) {}

  Classifier run() {
    Items start;
    for (std::uint32_t p = 0; p < patterns_.size(); ++p) {
      enter(start, p, 0);
      if (patterns_[p].after_dot) start.push_back(item(p, loop_before_dot));
    }
    out_.sets.emplace_back();
    out_.automaton.start = number_of(std::move(start));
    for (std::size_t at = 0; at < work_.size() && !out_.too_large; ++at) {
      expand(static_cast<std::uint32_t>(at));
      out_.too_large = work_.size() > state_limit;
    }
    return std::move(out_);
  }

 private:
  /// `starts` has matched as soon as its body has.
  void enter(Items& items, std::uint32_t pattern, std::uint64_t position) const {
    const Pattern& p = patterns_[pattern];
    const bool done = position == p.body.size() && p.end == Pattern::End::anywhere;
    items.push_back(item(pattern, done ? loop_anything : position));
  }

  [[nodiscard]] bool accepts(Item i) const {
    return position_of(i) == loop_anything || position_of(i) == patterns_[pattern_of(i)].body.size();
  }

  std::uint32_t number_of(Items items) {
    std::sort(items.begin(), items.end());
    items.erase(std::unique(items.begin(), items.end()), items.end());
    const auto [found, is_new] = numbers_.try_emplace(items, static_cast<std::uint32_t>(work_.size()));
    if (is_new) {
      work_.push_back(items);
      Automaton::State state;
      state.accept = class_of(items);
      out_.automaton.states.push_back(std::move(state));
    }
    return found->second;
  }

  std::uint32_t class_of(const Items& items) {
    std::vector<std::uint32_t> matched;
    for (const Item i : items) {
      if (accepts(i)) matched.push_back(pattern_of(i));
    }
    matched.erase(std::unique(matched.begin(), matched.end()), matched.end());
    const auto [found, is_new] = classes_.try_emplace(matched, static_cast<std::uint32_t>(out_.sets.size()));
    if (is_new) out_.sets.push_back(std::move(matched));
    return found->second;
  }

  void expand(std::uint32_t number) {
    const Items items = work_[number];
    Items stay;
    std::map<std::uint8_t, Items> moves;
    for (const Item i : items) {
      if (position_of(i) == loop_anything || position_of(i) == loop_before_dot) stay.push_back(i);
      advance(i, moves);
    }
    const std::uint32_t fallback = number_of(stay);
    out_.automaton.states[number].next = fallback;
    for (auto& [byte, next] : moves) {
      next.insert(next.end(), stay.begin(), stay.end());
      const std::uint32_t to = number_of(std::move(next));
      if (to != fallback) out_.automaton.states[number].edges.push_back({byte, 0, to});
    }
  }

  void advance(Item i, std::map<std::uint8_t, Items>& moves) const {
    const std::uint32_t pattern = pattern_of(i);
    const std::uint64_t position = position_of(i);
    const Pattern& p = patterns_[pattern];
    if (position == loop_before_dot) {
      enter(moves['.'], pattern, 0);
    } else if (position < p.body.size()) {
      const PatternByte byte = p.body[position];
      enter(moves[byte.one], pattern, position + 1);
      if (byte.other != byte.one) enter(moves[byte.other], pattern, position + 1);
    } else if (position == p.body.size() && p.end == Pattern::End::at_segment) {
      moves['/'].push_back(item(pattern, loop_anything));
    }
  }

  const std::vector<Pattern>& patterns_;
  Classifier out_;
  std::vector<Items> work_;
  std::unordered_map<Items, std::uint32_t, ItemsHash> numbers_;
  std::map<std::vector<std::uint32_t>, std::uint32_t> classes_;
};

}  // namespace

Classifier classify(const std::vector<Pattern>& patterns) {
  return Construction(patterns).run();
}

std::vector<PatternByte> exact_bytes(std::string_view text) {
  std::vector<PatternByte> bytes;
  for (const char c : text) bytes.push_back({static_cast<std::uint8_t>(c), static_cast<std::uint8_t>(c)});
  return bytes;
}

std::vector<PatternByte> caseless_bytes(std::string_view text) {
  std::vector<PatternByte> bytes;
  for (const char c : text) bytes.push_back(either_case(c));
  return bytes;
}

std::vector<PatternByte> path_bytes(std::string_view text) {
  std::vector<PatternByte> bytes = exact_bytes(text);
  for (std::size_t i = 0; i + 2 < text.size(); ++i) {
    if (text[i] != '%') continue;
    bytes[i + 1] = either_case(text[i + 1]);
    bytes[i + 2] = either_case(text[i + 2]);
    i += 2;
  }
  return bytes;
}

}  // namespace heddle::plan
