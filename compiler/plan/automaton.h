#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "compiler/model/regex.h"

namespace heddle::plan {

/// A deterministic automaton over bytes. Every state has a default and exceptions from it, which is also how
/// it is stored (see comb.h).
struct Automaton {
  struct Edge {
    std::uint8_t byte = 0;
    std::uint8_t event = 0;  // enum hd_scan_event
    std::uint32_t next = 0;
  };
  struct State {
    std::uint32_t accept = 0;
    std::uint32_t next = 0;  // default
    std::uint8_t event = 0;  // of the default
    std::vector<Edge> edges;
  };
  std::vector<State> states;
  std::uint32_t start = 0;
};

/// One element of a pattern: a byte, and the other byte that means the same there (or the same one again).
struct PatternByte {
  std::uint8_t one = 0;
  std::uint8_t other = 0;
};

/// An expression as places: which bytes lead into each, and which places may follow it. Place 0 is before the value.
struct Graph {
  struct Place {
    model::Bytes entered_by;
    std::vector<std::uint32_t> next;
    bool accepts = false;
  };
  std::vector<Place> places;
};

Graph graph_of(const model::Regex& regex);
/// Of `path like`: the pattern as it stands in the policy.
Graph graph_of_like(std::string_view pattern, bool ignoring_case);

/// What a value has to look like.
struct Pattern {
  enum class Begin : std::uint8_t {
    here,       // the value begins with the body
    anywhere,   // any bytes may precede
    after_dot   // the value begins with the body, or with any bytes and a `.`
  };
  enum class End : std::uint8_t {
    here,       // the value ends with the body
    anywhere,   // any bytes may follow
    at_segment  // the value ends, or goes on with `/` and any bytes
  };
  std::vector<PatternByte> body;
  End end = End::here;
  Begin begin = Begin::here;
  std::optional<Graph> graph = std::nullopt;  // instead of a body; the value is matched as a whole
  bool escapes = false;  // the digits of the value's escapes are read in upper case
};

/// The automaton that tells which of the patterns a value matches. Accepted classes count from 1;
/// `sets[class]` are the indexes of the patterns, ascending; `sets[0]` stays empty, for the value that is not
/// there.
struct Classifier {
  Automaton automaton;
  std::vector<std::vector<std::uint32_t>> sets;
  bool too_large = false;
  std::size_t bound = 0;  // of states, that was exceeded
};

/// States that the patterns of one string may need together, and one expression alone.
inline constexpr std::size_t state_limit = std::size_t{1} << 20;
inline constexpr std::size_t expression_limit = 4096;
/// The states of many literals have few exceptions, and stand for few places in patterns. Those that together have more than this
/// are of expressions that multiply each other, and may not be so many.
inline constexpr std::size_t edge_limit = std::size_t{1} << 21;
inline constexpr std::size_t place_limit = std::size_t{1} << 24;
inline constexpr std::size_t crowded_state_limit = 65536;

/// Stops past `limit` states, with `too_large` set.
Classifier classify(const std::vector<Pattern>& patterns, std::size_t limit = state_limit);

/// Bytes as they are, or with both cases of every letter.
std::vector<PatternByte> exact_bytes(std::string_view text);
std::vector<PatternByte> caseless_bytes(std::string_view text);
/// The bytes of a path from its beginning: the two digits of an escape compare in either case.
std::vector<PatternByte> path_bytes(std::string_view text);

}  // namespace heddle::plan
