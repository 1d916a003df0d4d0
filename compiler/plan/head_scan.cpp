#include "compiler/plan/head_scan.h"

#include <algorithm>
#include <array>
#include <map>
#include <string_view>

#include "bpf_templates/include/heddle/abi.h"

namespace heddle::plan {
namespace {

using StateId = std::uint32_t;

bool is_upper(int c) {
  return c >= 'A' && c <= 'Z';
}
bool is_lower(int c) {
  return c >= 'a' && c <= 'z';
}
bool is_digit(int c) {
  return c >= '0' && c <= '9';
}
bool is_alnum(int c) {
  return is_upper(c) || is_lower(c) || is_digit(c);
}
bool is_blank(int c) {
  return c == ' ' || c == '\t';
}
bool is_visible(int c) {
  return c >= 0x21 && c <= 0x7e;
}
bool is_hex(int c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
bool is_token(int c) {
  return is_alnum(c) ||
         (c > 0 && std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos);
}
bool is_value(int c) {
  return is_visible(c) || c >= 0x80;
}  // without blanks
bool is_label(int c) {
  return is_alnum(c) || c == '_' || c == '-';
}
bool is_method(int c) {
  return is_upper(c) || c == '-';
}
bool is_unreserved(int c) {
  return is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
}
int hex_value(int c) {
  return is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10;
}
int upper(int c) {
  return is_lower(c) ? c - 0x20 : c;
}

using Class = bool (*)(int);

/// A full table per state while it is being written; exceptions and default fall out at the end.
class Builder {
 public:
  /// Every byte of a new state is malformed until it is said what it is.
  StateId state(std::uint32_t accept = 0) {
    rows_.emplace_back();
    rows_.back().accept = accept;
    rows_.back().to.fill({0, HD_SCAN_MALFORMED});
    return static_cast<StateId>(rows_.size() - 1);
  }
  void on(StateId from, int byte, StateId to, std::uint8_t event = HD_SCAN_NONE) {
    rows_[from].to[static_cast<std::size_t>(byte)] = {to, event};
  }
  void on(StateId from, Class bytes, StateId to, std::uint8_t event = HD_SCAN_NONE) {
    for (int c = 0; c < 256; ++c) {
      if (bytes(c)) on(from, c, to, event);
    }
  }
  void on_either_case(StateId from, char byte, StateId to) {
    on(from, byte, to);
    on(from, upper(byte), to);
  }

  [[nodiscard]] Automaton finish(StateId start) const {
    Automaton automaton;
    automaton.start = start;
    for (const Row& row : rows_) automaton.states.push_back(compress(row));
    return automaton;
  }

 private:
  struct Move {
    StateId next;
    std::uint8_t event;
    auto operator<=>(const Move&) const = default;
  };
  struct Row {
    std::uint32_t accept = 0;
    std::array<Move, 256> to;
  };

  static Automaton::State compress(const Row& row) {
    std::map<Move, int> uses;
    for (const Move& move : row.to) ++uses[move];
    Move common = row.to[0];
    for (const auto& [move, count] : uses) {
      if (count > uses[common]) common = move;
    }
    Automaton::State state;
    state.accept = row.accept;
    state.next = common.next;
    state.event = common.event;
    for (std::size_t c = 0; c < row.to.size(); ++c) {
      if (row.to[c] != common)
        state.edges.push_back({static_cast<std::uint8_t>(c), row.to[c].event, row.to[c].next});
    }
    return state;
  }

  std::vector<Row> rows_;
};

// Never looked up.
constexpr std::uint32_t number_of_connection = HD_STEP_ACCEPT;
constexpr std::uint32_t number_of_length = HD_STEP_ACCEPT - 1;
constexpr std::uint32_t number_of_framing = HD_STEP_ACCEPT - 2;

/// What a request may have that changes how its bytes or the connection's are read. The fast path passes bytes on as they
/// are, so these requests are the handler's; a Content-Length it can count.
constexpr std::array<std::string_view, 8> framing_names = {
    "transfer-encoding", "upgrade", "expect", "te", "trailer", "http2-settings", "proxy-connection", "keep-alive"};
constexpr std::string_view length_name = "content-length";

bool is_framing(std::string_view name) {
  return name == length_name ||
         std::find(framing_names.begin(), framing_names.end(), name) != framing_names.end();
}

/// The trie of the names; both the names of header lines and the elements of Connection walk through one.
struct Trie {
  struct Node {
    std::map<char, std::size_t> children;
    std::uint32_t number = 0;
    bool is_name = false;
  };
  std::vector<Node> nodes{1};

  void add(std::string_view name, std::uint32_t number) {
    std::size_t at = 0;
    for (const char c : name) {
      const auto [child, is_new] = nodes[at].children.try_emplace(c, nodes.size());
      at = child->second;
      if (is_new) nodes.emplace_back();
    }
    nodes[at].number = number;
    nodes[at].is_name = true;
  }
};

class Writer {
 public:
  Writer(const std::vector<TestedName>& names, const std::set<model::Paths>& modes) {
    names_.add(length_name, number_of_length);
    for (const std::string_view name : framing_names) names_.add(name, number_of_framing);
    names_.add("connection", number_of_connection);
    elements_.add("keep-alive", HD_NAME_KEEP_ALIVE);
    for (Trie* trie : {&elements_, &names_}) {
      trie->add("host", HD_NAME_HOST);
      for (std::size_t i = 0; i < names.size(); ++i) {
        const std::uint32_t number = name_number(names[i], i);
        if (names[i].attribute == model::Attribute::header) trie->add(names[i].name, number);
        if (names[i].attribute == model::Attribute::cookie) trie->add("cookie", HD_NAME_COOKIE);
      }
    }
    for (std::size_t i = 0; i < names.size(); ++i) {
      const std::uint32_t number = name_number(names[i], i);
      if (names[i].attribute == model::Attribute::query) queries_.add(names[i].name, number);
      if (names[i].attribute == model::Attribute::cookie) cookies_.add(names[i].name, number);
    }
    (void)b_.state();  // 0 is where everything malformed goes
    line_ = b_.state();
    line_feed_ = b_.state();
    b_.on(line_feed_, '\n', line_);
    const StateId version = version_states();
    line_states();
    for (const model::Paths& paths : modes) {
      const StateId target = path_states(paths, query_states(paths, version), version);
      const StateId start = method_states(target);
      states_[paths] = {.start = start, .target = target, .version = version, .line = line_, .host = host_};
    }
  }

  [[nodiscard]] HeadScan finish() const {
    return {.automaton = b_.finish(0), .states = states_};
  }

 private:
  StateId method_states(StateId target) {
    const StateId start = b_.state();
    const StateId method = b_.state();
    b_.on(start, is_upper, method);
    b_.on(method, is_method, method);
    b_.on(method, ' ', target, HD_SCAN_METHOD_END);
    StateId at = start;
    for (const char c : std::string_view("CONNECT")) {
      const StateId next = b_.state();
      b_.on(next, is_method, method);
      b_.on(next, ' ', target, HD_SCAN_METHOD_END);
      b_.on(at, c, next);
      at = next;
    }
    b_.on(at, ' ', target, HD_SCAN_BAD_METHOD);
    return start;
  }

  /// What is made of an escape, by the byte that it stands for.
  struct Move {
    StateId next;
    std::uint8_t event = HD_SCAN_NONE;
  };

  /// The two digits of an escape, and where it goes on.
  template <typename MoveOf>
  StateId escape_states(MoveOf&& move_of) {
    const StateId first = b_.state();
    bad_path(first);
    for (int high = 0; high < 16; ++high) {
      const StateId second = b_.state();
      bad_path(second);
      for (int c = 0; c < 256; ++c) {
        if (is_hex(c) && hex_value(c) == high) b_.on(first, c, second);
        if (!is_hex(c)) continue;
        const Move move = move_of(high * 16 + hex_value(c), second);
        b_.on(second, c, move.next, move.event);
      }
    }
    return first;
  }
  void bad_path(StateId state) {
    b_.on(state, is_visible, state, HD_SCAN_BAD_PATH);
    b_.on(state, ' ', state, HD_SCAN_BAD_PATH);
  }

  /// What is no canonical path: refused, or made one.
  static std::uint8_t not_canonical(const model::Paths& paths) {
    return paths.mode == model::PathMode::strict ? HD_SCAN_BAD_PATH : HD_SCAN_NORMALISE;
  }

  /// An escape in a path goes back to `back`, and one that is kept although servers may read it as `/` to `kept`.
  StateId path_escape(const model::Paths& paths, StateId back, Move kept) {
    const std::uint8_t decoded = paths.mode == model::PathMode::decode ? HD_SCAN_NORMALISE : HD_SCAN_BAD_PATH;
    return escape_states([&, kept, back, decoded](int byte, StateId here) -> Move {
      if (byte == 0) return {here, HD_SCAN_BAD_PATH};
      if (byte == '/' || byte == '\\')
        return paths.keep.contains(byte == '/' ? "%2F" : "%5C") ? kept : Move{here, decoded};
      return is_unreserved(byte) ? Move{here, decoded} : Move{back};
    });
  }

  /// In a query nothing separates segments.
  StateId query_escape(const model::Paths& paths, StateId back) {
    const bool decodes = paths.mode == model::PathMode::decode;
    const std::uint8_t decoded = decodes ? HD_SCAN_NORMALISE : HD_SCAN_BAD_PATH;
    return escape_states([&, back, decodes, decoded](int byte, StateId here) -> Move {
      if (byte == 0) return {here, HD_SCAN_BAD_PATH};
      if (byte == '/') return paths.keep.contains("%2F") ? Move{back} : Move{here, decoded};
      if (byte == '\\') return decodes || paths.keep.contains("%5C") ? Move{back} : Move{here, HD_SCAN_BAD_PATH};
      return is_unreserved(byte) ? Move{here, decoded} : Move{back};
    });
  }

  StateId path_states(const model::Paths& paths, StateId query, StateId version) {
    const StateId target = b_.state();
    const StateId segment_start = b_.state();
    const StateId segment = b_.state();
    const StateId dot = b_.state();
    const StateId dots = b_.state();
    const StateId kept = b_.state();       // behind what is kept, where a server may see another segment begin
    const StateId kept_dot = b_.state();   // and the dots there
    const StateId kept_dots = b_.state();
    const std::array<StateId, 4> all_dots = {dot, dots, kept_dot, kept_dots};
    b_.on(target, '/', segment_start);
    b_.on(target, 'h', target, HD_SCAN_HANDLER);  // perhaps the absolute form
    b_.on(target, 'H', target, HD_SCAN_HANDLER);
    for (const StateId state : {segment_start, segment, dot, dots, kept, kept_dot, kept_dots}) {
      b_.on(state, is_visible, segment);
      b_.on(state, '/', segment_start);
      for (const char c : std::string_view("\\;#")) b_.on(state, c, state, HD_SCAN_BAD_PATH);
      b_.on(state, '?', query, HD_SCAN_PATH_END);
      b_.on(state, ' ', version, HD_SCAN_PATH_END);
    }
    const std::uint8_t repair = not_canonical(paths);
    for (const StateId state : all_dots) {
      for (const char c : std::string_view("/? ")) b_.on(state, c, state, repair);
    }
    b_.on(segment_start, '/', segment_start, repair);
    b_.on(segment_start, '.', dot);
    b_.on(dot, '.', dots);
    b_.on(kept, '.', kept_dot);
    b_.on(kept_dot, '.', kept_dots);
    if (paths.keep.contains(";")) b_.on(segment, ';', segment);
    if (paths.keep.contains("\\")) {
      for (const StateId state : {segment_start, segment, kept}) b_.on(state, '\\', kept);
    }
    const StateId escape = path_escape(paths, segment, {kept});
    for (const StateId state : {segment_start, segment, kept}) b_.on(state, '%', escape);
    const StateId behind_dots = path_escape(paths, segment, {kept, HD_SCAN_BAD_PATH});
    for (const StateId state : all_dots) b_.on(state, '%', behind_dots);
    return target;
  }

  /// `&` and the space end a name or a value; what that means for the value says the event.
  void query_part(StateId state, StateId on, StateId next, StateId version, std::uint8_t between, std::uint8_t end) {
    b_.on(state, is_visible, on);
    b_.on(state, '&', next, between);
    b_.on(state, '#', state, HD_SCAN_BAD_PATH);
    b_.on(state, ' ', version, end);
  }

  StateId query_states(const model::Paths& paths, StateId version) {
    const StateId other = b_.state();  // a name that nobody tests, or its value
    std::vector<StateId> of(queries_.nodes.size(), other);
    if (of.size() > 1) of[0] = b_.state();
    for (std::size_t n = 1; n < of.size(); ++n) of[n] = b_.state(queries_.nodes[n].number);
    query_part(other, other, of[0], version, HD_SCAN_NONE, HD_SCAN_TARGET_END);
    const StateId escape = query_escape(paths, other);
    b_.on(other, '%', escape);
    if (of.size() == 1) return other;
    const StateId value = b_.state();
    query_part(value, value, of[0], version, HD_SCAN_QUERY_VALUE, HD_SCAN_QUERY_VALUE_END);
    b_.on(value, '%', query_escape(paths, value));
    for (std::size_t n = 0; n < of.size(); ++n) {
      const bool tested = queries_.nodes[n].is_name;
      query_part(of[n], other, of[0], version, tested ? HD_SCAN_QUERY_BARE : HD_SCAN_NONE,
                 tested ? HD_SCAN_QUERY_BARE_END : HD_SCAN_TARGET_END);
      b_.on(of[n], '%', escape);
      if (tested) b_.on(of[n], '=', value, HD_SCAN_QUERY_NAME);
      for (const auto& [c, child] : queries_.nodes[n].children) b_.on(of[n], c, of[child]);
    }
    return of[0];
  }

  StateId version_states() {
    const StateId first = b_.state();
    StateId at = first;
    for (const char c : std::string_view("HTTP/1.")) {
      const StateId next = b_.state();
      b_.on(at, c, next);
      at = next;
    }
    const StateId end = b_.state();
    b_.on(at, '1', end);
    b_.on(at, '0', end, HD_SCAN_OLD);
    b_.on(end, '\r', line_feed_);
    return first;
  }

  void line_states() {
    const StateId last = b_.state();
    b_.on(line_, '\r', last);
    b_.on(last, '\n', last, HD_SCAN_END);
    const StateId any_value = b_.state();
    b_.on(any_value, is_value, any_value);
    b_.on(any_value, is_blank, any_value);
    b_.on(any_value, '\r', line_feed_);
    const StateId any_name = b_.state();
    b_.on(any_name, is_token, any_name);
    b_.on(any_name, ':', any_value, HD_SCAN_SKIP);
    b_.on(line_, is_token, any_name);
    name_states(any_name, any_value);
  }

  void connect(const Trie& trie, const std::vector<StateId>& of) {
    for (std::size_t n = 0; n < trie.nodes.size(); ++n) {
      for (const auto& [c, child] : trie.nodes[n].children) b_.on_either_case(of[n], c, of[child]);
    }
  }

  void name_states(StateId any_name, StateId any_value) {
    const Value value = value_states();
    end_value(value, '\r', line_feed_);
    const StateId cookies = cookies_.nodes.size() > 1 ? cookie_states() : any_value;
    host_ = host_states();
    const StateId connection = connection_states();
    std::vector<StateId> of(names_.nodes.size(), line_);
    for (std::size_t n = 1; n < names_.nodes.size(); ++n) {
      const Trie::Node& node = names_.nodes[n];
      of[n] = b_.state(node.number);
      b_.on(of[n], is_token, any_name);
      b_.on(of[n], ':', any_value, HD_SCAN_SKIP);
      if (!node.is_name) continue;
      if (node.number == number_of_connection) {
        b_.on(of[n], ':', connection);
      } else if (node.number == HD_NAME_COOKIE) {
        b_.on(of[n], ':', cookies);
      } else if (node.number == number_of_length) {
        b_.on(of[n], ':', any_value, HD_SCAN_LENGTH);
      } else if (node.number == number_of_framing) {
        b_.on(of[n], ':', any_value, HD_SCAN_NOT_FAST);
      } else {
        b_.on(of[n], ':', node.number == HD_NAME_HOST ? host_ : value.before, HD_SCAN_NAME);
      }
    }
    connect(names_, of);
  }

  /// A value that some policy tests: before its first byte, in it, and behind what may be its last.
  struct Value {
    StateId before;
    StateId inside;
    StateId blanks;
  };

  Value value_states() {
    const Value value{b_.state(), b_.state(), b_.state()};
    b_.on(value.before, is_blank, value.before);
    b_.on(value.before, is_value, value.inside, HD_SCAN_VALUE);
    b_.on(value.inside, is_value, value.inside);
    b_.on(value.inside, is_blank, value.blanks, HD_SCAN_SPACE);
    b_.on(value.blanks, is_blank, value.blanks);
    b_.on(value.blanks, is_value, value.inside);
    return value;
  }

  void end_value(const Value& value, int byte, StateId next) {
    b_.on(value.before, byte, next, HD_SCAN_LINE_END);
    b_.on(value.inside, byte, next, HD_SCAN_VALUE_END);
    b_.on(value.blanks, byte, next, HD_SCAN_LINE_END);
  }

  /// A `Cookie` line: the names that some policy tests, and the values behind them.
  StateId cookie_states() {
    const Value value = value_states();
    const StateId start = b_.state();
    const StateId other = b_.state();
    for (const StateId state : {start, other}) {
      b_.on(state, is_value, other);
      b_.on(state, is_blank, state);
      b_.on(state, ';', start);
      b_.on(state, '\r', line_feed_);
    }
    end_value(value, ';', start);
    end_value(value, '\r', line_feed_);
    std::vector<StateId> of(cookies_.nodes.size(), start);
    for (std::size_t n = 1; n < of.size(); ++n) {
      const Trie::Node& node = cookies_.nodes[n];
      of[n] = b_.state(node.number);
      const StateId blanks = node.is_name ? b_.state(node.number) : other;
      for (const StateId state : {of[n], blanks}) {
        if (state == other) continue;
        b_.on(state, is_value, other);
        b_.on(state, is_blank, blanks);
        if (node.is_name) b_.on(state, '=', value.before, HD_SCAN_NAME);
        b_.on(state, ';', start, node.is_name ? HD_SCAN_BARE_NAME : HD_SCAN_NONE);
        b_.on(state, '\r', line_feed_, node.is_name ? HD_SCAN_BARE_NAME : HD_SCAN_NONE);
      }
    }
    for (std::size_t n = 0; n < of.size(); ++n) {
      for (const auto& [c, child] : cookies_.nodes[n].children) b_.on(of[n], c, of[child]);
    }
    return start;
  }

  StateId host_states() {
    const StateId before = b_.state();
    const StateId label = b_.state();
    const StateId dot = b_.state();
    const StateId bracket = b_.state();
    const StateId literal = b_.state();
    const StateId closed = b_.state();
    const StateId after = b_.state();
    b_.on(before, is_blank, before);
    b_.on(before, is_label, label, HD_SCAN_VALUE);
    b_.on(before, '[', bracket, HD_SCAN_VALUE);
    b_.on(label, is_label, label);
    b_.on(label, '.', dot);
    b_.on(dot, is_label, label);
    for (const StateId state : {bracket, literal}) {
      b_.on(state, is_hex, literal);
      b_.on(state, ':', literal);
      b_.on(state, '.', literal);
    }
    b_.on(literal, ']', closed);
    b_.on(after, is_blank, after);
    b_.on(after, '\r', line_feed_, HD_SCAN_LINE_END);
    StateId port = b_.state();
    for (const StateId state : {label, closed}) {
      b_.on(state, is_blank, after, HD_SCAN_SPACE);
      b_.on(state, '\r', line_feed_, HD_SCAN_VALUE_END);
      b_.on(state, ':', port, HD_SCAN_SPACE);
    }
    for (int digits = 1; digits <= 5; ++digits) {
      const StateId next = b_.state();
      b_.on(port, is_digit, next);
      b_.on(next, is_blank, after);
      b_.on(next, '\r', line_feed_, HD_SCAN_LINE_END);
      port = next;
    }
    return before;
  }

  /// `Connection`: an element that is the name of a tested header would take it away from the server.
  StateId connection_states() {
    const StateId element = b_.state();
    const StateId other = b_.state();
    for (const StateId state : {element, other}) {
      b_.on(state, is_value, other, state == element ? HD_SCAN_NOT_FAST : HD_SCAN_NONE);
      b_.on(state, is_blank, state);
      b_.on(state, ',', element);
      b_.on(state, '\r', line_feed_);
    }
    std::vector<StateId> of(elements_.nodes.size(), element);
    for (std::size_t n = 1; n < elements_.nodes.size(); ++n)
      of[n] = element_end(elements_.nodes[n], element, other);
    connect(elements_, of);
    return element;
  }

  StateId element_end(const Trie::Node& node, StateId element, StateId other) {
    const StateId end = b_.state(node.number);
    b_.on(end, is_value, other, HD_SCAN_NOT_FAST);
    b_.on(end, is_blank, other, HD_SCAN_NOT_FAST);
    b_.on(end, ',', element, HD_SCAN_NOT_FAST);
    b_.on(end, '\r', line_feed_, HD_SCAN_NOT_FAST);
    if (!node.is_name) return end;
    const StateId blanks = b_.state(node.number);
    b_.on(end, is_blank, blanks);
    b_.on(blanks, is_value, other, HD_SCAN_NOT_FAST);
    b_.on(blanks, is_blank, blanks);
    for (const StateId state : {end, blanks}) {
      b_.on(state, ',', element, HD_SCAN_CONNECTION);
      b_.on(state, '\r', line_feed_, HD_SCAN_CONNECTION);
    }
    return end;
  }

  Builder b_;
  Trie elements_;  // what Connection must not name
  Trie names_;     // the same and `connection`
  Trie queries_;   // tested query parameters and cookies, in their case
  Trie cookies_;
  StateId line_ = 0;
  StateId line_feed_ = 0;
  StateId host_ = 0;
  std::map<model::Paths, hd_scan> states_;
};

}  // namespace

std::uint32_t name_number(const TestedName& name, std::size_t index) {
  const bool framing = name.attribute == model::Attribute::header && is_framing(name.name);
  return (HD_NAME_FIRST + static_cast<std::uint32_t>(index)) | (framing ? HD_NAME_FRAMING : 0U);
}

HeadScan head_scan(const std::vector<TestedName>& names, const std::set<model::Paths>& modes) {
  return Writer(names, modes).finish();
}

}  // namespace heddle::plan
