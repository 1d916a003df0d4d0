// Expressions as places (Glushkov's construction): one place for each byte that an expression names, repetitions
// written out.

#include <algorithm>
#include <utility>

#include "compiler/plan/automaton.h"

namespace heddle::plan {
namespace {

using model::Regex;

/// A part of the graph: where it can begin, where it can end, and whether it can be passed without a byte.
struct Part {
  std::vector<std::uint32_t> first;
  std::vector<std::uint32_t> last;
  bool may_be_empty = true;
};

void append(std::vector<std::uint32_t>& to, const std::vector<std::uint32_t>& more) {
  to.insert(to.end(), more.begin(), more.end());
}

class GraphWriter {
 public:
  Graph write(const Regex& regex) {
    graph_.places.resize(1);
    const Part whole = part_of(regex);
    graph_.places[0].next = whole.first;
    graph_.places[0].accepts = whole.may_be_empty;
    for (const std::uint32_t place : whole.last) graph_.places[place].accepts = true;
    return std::move(graph_);
  }

 private:
  Part part_of(const Regex& regex) {
    switch (regex.kind) {
      case Regex::Kind::bytes:
        return place_of(regex.bytes);
      case Regex::Kind::sequence: {
        Part sequence;
        for (const Regex& child : regex.children) sequence = joined(std::move(sequence), part_of(child));
        return sequence;
      }
      case Regex::Kind::choice: {
        Part choice{{}, {}, false};
        for (const Regex& child : regex.children) {
          const Part part = part_of(child);
          append(choice.first, part.first);
          append(choice.last, part.last);
          choice.may_be_empty = choice.may_be_empty || part.may_be_empty;
        }
        return choice;
      }
      case Regex::Kind::repeat:
        break;
    }
    return repeated(regex);
  }

  Part place_of(const model::Bytes& bytes) {
    const auto place = static_cast<std::uint32_t>(graph_.places.size());
    graph_.places.push_back({bytes, {}, false});
    return {{place}, {place}, false};
  }

  void connect(const std::vector<std::uint32_t>& from, const std::vector<std::uint32_t>& to) {
    for (const std::uint32_t place : from) append(graph_.places[place].next, to);
  }

  Part joined(Part a, const Part& b) {
    connect(a.last, b.first);
    if (a.may_be_empty) append(a.first, b.first);
    if (!b.may_be_empty) a.last.clear();
    append(a.last, b.last);
    a.may_be_empty = a.may_be_empty && b.may_be_empty;
    return a;
  }

  /// As many copies as there are repetitions; the last one goes round if they have no end.
  Part repeated(const Regex& regex) {
    const std::uint32_t copies = std::max<std::uint32_t>(regex.most.value_or(regex.least), 1);
    Part all;
    for (std::uint32_t copy = 0; copy < copies; ++copy) {
      Part one = part_of(regex.children.front());
      if (!regex.most && copy + 1 == copies) connect(one.last, one.first);
      if (copy >= regex.least) one.may_be_empty = true;
      all = joined(std::move(all), one);
    }
    return all;
  }

  Graph graph_;
};

Regex any_of(const model::Bytes& bytes, std::uint32_t least) {
  Regex byte;
  byte.kind = Regex::Kind::bytes;
  byte.bytes = bytes;
  Regex run;
  run.kind = Regex::Kind::repeat;
  run.least = least;
  run.children.push_back(std::move(byte));
  return run;
}

void add_bytes(Regex& sequence, const std::vector<PatternByte>& bytes) {
  for (const PatternByte& byte : bytes) {
    Regex one;
    one.kind = Regex::Kind::bytes;
    one.bytes.set(byte.one);
    one.bytes.set(byte.other);
    sequence.children.push_back(std::move(one));
  }
}

}  // namespace

Graph graph_of(const Regex& regex) {
  return GraphWriter().write(regex);
}

Graph graph_of_like(std::string_view pattern, bool ignoring_case) {
  const auto bytes_of = ignoring_case ? caseless_bytes : path_bytes;
  Regex whole;
  while (!pattern.empty()) {
    if (pattern == "/**") {
      Regex rest;
      rest.kind = Regex::Kind::repeat;
      rest.most = 1;
      rest.children.emplace_back();
      add_bytes(rest.children.front(), exact_bytes("/"));
      rest.children.front().children.push_back(any_of(~model::Bytes(), 0));
      whole.children.push_back(std::move(rest));
      break;
    }
    const std::string_view segment = pattern.substr(0, pattern.find('/', 1));
    if (segment.starts_with("/{")) {
      add_bytes(whole, exact_bytes("/"));
      model::Bytes no_slash;
      no_slash.set();
      no_slash.reset('/');
      whole.children.push_back(any_of(no_slash, 1));
    } else {
      add_bytes(whole, bytes_of(segment));
    }
    pattern.remove_prefix(segment.size());
  }
  return graph_of(whole);
}

}  // namespace heddle::plan
