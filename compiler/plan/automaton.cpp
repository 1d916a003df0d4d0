#include "compiler/plan/automaton.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_set>
#include <utility>

namespace heddle::plan {
namespace {

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

PatternByte either_case(char c) {
  const auto byte = static_cast<std::uint8_t>(c);
  return is_letter(c) ? PatternByte{byte, static_cast<std::uint8_t>(byte ^ 0x20)} : PatternByte{byte, byte};
}

/// Where a pattern stands: behind its first `position` bytes, in that place of its graph, or matched whatever follows.
using Item = std::uint64_t;
constexpr std::uint64_t matched = 0xfffffff0;

constexpr Item item(std::uint32_t pattern, std::uint64_t position) {
  return static_cast<std::uint64_t>(pattern) << 32 | position;
}
constexpr std::uint32_t pattern_of(Item i) {
  return static_cast<std::uint32_t>(i >> 32);
}
constexpr std::uint64_t position_of(Item i) {
  return i & 0xffffffff;
}

// Of all patterns together. They sort behind the items of every pattern.
constexpr std::uint32_t nobody = 0xffffffff;
constexpr Item begins_anywhere = item(nobody, 0);   // whoever may, can begin with the next byte
constexpr Item begins_after_dot = item(nobody, 1);  // or behind the next `.`
constexpr Item in_escape = item(nobody, 2);         // two digits of an escape follow,
constexpr Item in_escape_end = item(nobody, 3);     // or one

using Items = std::vector<Item>;

std::size_t hash_of(const Items& items) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const Item i : items) hash = (hash ^ i) * 0x100000001b3;
  return hash;
}

bool is_in(const Items& items, Item i) {
  return std::binary_search(items.begin(), items.end(), i);
}

std::uint8_t upper_digit(std::uint8_t byte) {
  return byte >= 'a' && byte <= 'f' ? static_cast<std::uint8_t>(byte - 0x20) : byte;
}

/// Bytes that no pattern tells apart, numbered.
class Alphabet {
 public:
  /// `set` is one that some pattern asks for.
  void split(const model::Bytes& set) {
    std::map<std::pair<std::uint16_t, bool>, std::uint16_t> numbers;
    for (std::size_t c = 0; c < 256; ++c) {
      const auto next = static_cast<std::uint16_t>(numbers.size());
      class_of_[c] = numbers.try_emplace({class_of_[c], set[c]}, next).first->second;
    }
    size_ = numbers.size();
  }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::uint16_t class_of(std::uint8_t byte) const { return class_of_[byte]; }

 private:
  std::array<std::uint16_t, 256> class_of_{};
  std::size_t size_ = 1;
};

/// Subset construction. States are numbered in the order in which they are met, so equal patterns give equal
/// tables.
class Construction {
 public:
  Construction(const std::vector<Pattern>& patterns, std::size_t limit) : patterns_(patterns), limit_(limit) {}

  Classifier run() {
    find_alphabet();
    Items start;
    for (std::uint32_t p = 0; p < patterns_.size(); ++p) {
      const Pattern& pattern = patterns_[p];
      if (pattern.begin == Pattern::Begin::anywhere) {
        add_beginning(p);
      } else {
        enter(start, p, 0);
      }
      if (pattern.begin == Pattern::Begin::after_dot) after_dot_.push_back(p);
      reads_escapes_ = reads_escapes_ || pattern.escapes;
    }
    if (!beginnings_.by_class.empty()) start.push_back(begins_anywhere);
    if (!after_dot_.empty()) start.push_back(begins_after_dot);
    out_.sets.emplace_back();
    out_.automaton.start = number_of(std::move(start));
    for (std::size_t at = 0; at < work_.size() && !out_.too_large; ++at) {
      expand(static_cast<std::uint32_t>(at));
      const bool crowded = places_ > place_limit || edges_ > edge_limit;
      out_.bound = crowded ? std::min(limit_, crowded_state_limit) : limit_;
      out_.too_large = work_.size() > out_.bound;
    }
    return std::move(out_);
  }

 private:
  /// What a step leads to, by class of the byte; and whatever the byte.
  struct Moves {
    std::map<std::uint16_t, Items> by_class;
    Items always;
  };

  /// A pattern that may begin anywhere waits for its first byte in every state; that is worked out once.
  void add_beginning(std::uint32_t pattern) {
    advance(item(pattern, 0), false, beginnings_);
    advance(item(pattern, 0), true, beginnings_in_escape_);
    beginnings_read_escapes_ = beginnings_read_escapes_ || patterns_[pattern].escapes;
  }

  void find_alphabet() {
    std::set<std::pair<std::uint8_t, std::uint8_t>> bytes;
    std::unordered_set<model::Bytes> seen;
    std::vector<const model::Bytes*> sets;  // each once, in the order of the page
    for (const Pattern& pattern : patterns_) {
      for (const PatternByte& byte : pattern.body) bytes.emplace(byte.one, byte.other);
      if (pattern.graph) {
        for (const Graph::Place& place : pattern.graph->places) {
          if (seen.insert(place.entered_by).second) sets.push_back(&place.entered_by);
        }
      }
      if (pattern.end == Pattern::End::at_segment) bytes.emplace('/', '/');
      if (pattern.begin == Pattern::Begin::after_dot) bytes.emplace('.', '.');
      if (!pattern.escapes) continue;
      bytes.emplace('%', '%');
      // Read as another byte: a class of its own.
      for (std::uint8_t digit = 'a'; digit <= 'f'; ++digit) bytes.emplace(digit, digit);
    }
    for (const auto& [one, other] : bytes) {
      model::Bytes set;
      alphabet_.split(set.set(one).set(other));
    }
    for (const model::Bytes* set : sets) alphabet_.split(*set);
    bytes_of_.resize(alphabet_.size());
    for (unsigned c = 0; c < 256; ++c)
      bytes_of_[alphabet_.class_of(static_cast<std::uint8_t>(c))].push_back(static_cast<std::uint8_t>(c));
  }

  [[nodiscard]] bool is_end(std::uint32_t pattern, std::uint64_t position) const {
    const Pattern& p = patterns_[pattern];
    return p.graph ? p.graph->places[position].accepts : position == p.body.size();
  }

  /// What may be followed by anything has matched as soon as its body has.
  void enter(Items& items, std::uint32_t pattern, std::uint64_t position) const {
    const bool done = patterns_[pattern].end == Pattern::End::anywhere && is_end(pattern, position);
    items.push_back(item(pattern, done ? matched : position));
  }

  /// Sorted, each once; of a pattern that has matched nothing else, and of escapes nothing where nobody reads them.
  void tidy(Items& items) const {
    std::sort(items.begin(), items.end());
    Items kept;
    bool waits_for_escapes = false;
    for (std::size_t at = 0; at < items.size();) {
      const std::uint32_t pattern = pattern_of(items[at]);
      std::size_t end = at;
      while (end < items.size() && pattern_of(items[end]) == pattern) ++end;
      const bool done = pattern != nobody && position_of(items[end - 1]) == matched;
      waits_for_escapes = waits_for_escapes || (items[at] == begins_anywhere && beginnings_read_escapes_) ||
                          (pattern != nobody && !done && patterns_[pattern].escapes);
      for (std::size_t i = done ? end - 1 : at; i < end; ++i) {
        const bool escape = items[i] == in_escape || items[i] == in_escape_end;
        if (escape && !waits_for_escapes) continue;
        if (kept.empty() || kept.back() != items[i]) kept.push_back(items[i]);
      }
      at = end;
    }
    items = std::move(kept);
  }

  std::uint32_t number_of(Items items) {
    tidy(items);
    work_.push_back(std::move(items));
    const auto [found, is_new] = numbers_.insert(static_cast<std::uint32_t>(work_.size() - 1));
    if (is_new) {
      Automaton::State state;
      state.accept = class_of(work_.back());
      places_ += work_.back().size();
      out_.automaton.states.push_back(std::move(state));
    } else {
      work_.pop_back();
    }
    return *found;
  }

  std::uint32_t class_of(const Items& items) {
    std::vector<std::uint32_t> found;
    for (const Item i : items) {
      if (pattern_of(i) == nobody) continue;
      if (position_of(i) == matched || is_end(pattern_of(i), position_of(i))) found.push_back(pattern_of(i));
    }
    found.erase(std::unique(found.begin(), found.end()), found.end());
    const auto [place, is_new] = classes_.try_emplace(found, static_cast<std::uint32_t>(out_.sets.size()));
    if (is_new) out_.sets.push_back(std::move(found));
    return place->second;
  }

  void expand(std::uint32_t number) {
    const Items items = work_[number];
    Moves moves;
    const bool digit = is_in(items, in_escape) || is_in(items, in_escape_end);
    for (const Item i : items) advance(i, digit, moves);
    if (reads_escapes_) moves.by_class[alphabet_.class_of('%')].push_back(in_escape);
    const std::uint32_t otherwise = number_of(moves.always);
    std::map<std::uint32_t, std::size_t> uses;
    std::size_t others = 256;
    std::vector<std::pair<std::uint16_t, std::uint32_t>> targets;
    for (auto& [letter, next] : moves.by_class) {
      next.insert(next.end(), moves.always.begin(), moves.always.end());
      const std::uint32_t to = number_of(std::move(next));
      targets.emplace_back(letter, to);
      uses[to] += bytes_of_[letter].size();
      others -= bytes_of_[letter].size();
    }
    uses[otherwise] += others;
    write(number, otherwise, targets, uses);
  }

  /// The default is where most bytes lead.
  void write(std::uint32_t number, std::uint32_t otherwise,
             const std::vector<std::pair<std::uint16_t, std::uint32_t>>& targets,
             const std::map<std::uint32_t, std::size_t>& uses) {
    std::uint32_t common = otherwise;
    for (const auto& [to, count] : uses) {
      if (count > uses.at(common)) common = to;
    }
    std::array<std::uint32_t, 256> next{};
    next.fill(otherwise);
    for (const auto& [letter, to] : targets) {
      for (const std::uint8_t byte : bytes_of_[letter]) next[byte] = to;
    }
    Automaton::State& state = out_.automaton.states[number];
    state.next = common;
    for (std::size_t c = 0; c < next.size(); ++c) {
      if (next[c] != common) state.edges.push_back({static_cast<std::uint8_t>(c), 0, next[c]});
    }
    edges_ += state.edges.size();
  }

  void advance(Item i, bool digit, Moves& moves) const {
    if (i == begins_anywhere) {
      moves.always.push_back(i);
      for (const auto& [letter, begun] : (digit ? beginnings_in_escape_ : beginnings_).by_class) {
        Items& to = moves.by_class[letter];
        to.insert(to.end(), begun.begin(), begun.end());
      }
      return;
    }
    if (i == begins_after_dot) {
      moves.always.push_back(i);
      for (const std::uint32_t p : after_dot_) enter(moves.by_class[alphabet_.class_of('.')], p, 0);
      return;
    }
    if (i == in_escape) return moves.always.push_back(in_escape_end);
    if (i == in_escape_end) return;
    const std::uint32_t pattern = pattern_of(i);
    const std::uint64_t position = position_of(i);
    if (position == matched) return moves.always.push_back(i);
    const Pattern& p = patterns_[pattern];
    if (p.graph) return advance_in_graph(pattern, position, digit, moves);
    if (position < p.body.size()) {
      const PatternByte byte = p.body[position];
      step(pattern, position + 1, byte.one, digit && p.escapes, moves);
      if (byte.other != byte.one) step(pattern, position + 1, byte.other, digit && p.escapes, moves);
    } else if (p.end == Pattern::End::at_segment) {
      moves.by_class[alphabet_.class_of('/')].push_back(item(pattern, matched));
    }
  }

  /// `byte` leads to a position; as a digit of an escape it may have come in lower case, and a lower-case one has not.
  void step(std::uint32_t pattern, std::uint64_t to, std::uint8_t byte, bool digit, Moves& moves) const {
    if (digit && upper_digit(byte) != byte) return;
    enter(moves.by_class[alphabet_.class_of(byte)], pattern, to);
    if (digit && byte >= 'A' && byte <= 'F')
      enter(moves.by_class[alphabet_.class_of(static_cast<std::uint8_t>(byte + 0x20))], pattern, to);
  }

  void advance_in_graph(std::uint32_t pattern, std::uint64_t position, bool digit, Moves& moves) const {
    const Graph& graph = *patterns_[pattern].graph;
    const bool as_digit = digit && patterns_[pattern].escapes;
    for (const std::uint32_t to : graph.places[position].next) {
      const model::Bytes& bytes = graph.places[to].entered_by;
      for (std::size_t letter = 0; letter < bytes_of_.size(); ++letter) {
        const std::uint8_t byte = bytes_of_[letter].front();
        if (bytes[as_digit ? upper_digit(byte) : byte])
          moves.by_class[static_cast<std::uint16_t>(letter)].push_back(item(pattern, to));
      }
    }
  }

  const std::vector<Pattern>& patterns_;
  std::size_t limit_;
  Alphabet alphabet_;
  std::vector<std::vector<std::uint8_t>> bytes_of_;  // by class
  Moves beginnings_;  // of all that may begin anywhere, with their first byte
  Moves beginnings_in_escape_;
  bool beginnings_read_escapes_ = false;
  std::vector<std::uint32_t> after_dot_;
  bool reads_escapes_ = false;
  Classifier out_;
  std::vector<Items> work_;
  std::size_t places_ = 0;  // in `work_`
  std::size_t edges_ = 0;
  struct HashAt {
    const std::vector<Items>* work;
    std::size_t operator()(std::uint32_t number) const { return hash_of((*work)[number]); }
  };
  struct EqualAt {
    const std::vector<Items>* work;
    bool operator()(std::uint32_t one, std::uint32_t other) const { return (*work)[one] == (*work)[other]; }
  };
  std::unordered_set<std::uint32_t, HashAt, EqualAt> numbers_{64, HashAt{&work_}, EqualAt{&work_}};  // of states, by their items
  std::map<std::vector<std::uint32_t>, std::uint32_t> classes_;
};

}  // namespace

Classifier classify(const std::vector<Pattern>& patterns, std::size_t limit) {
  return Construction(patterns, limit).run();
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
