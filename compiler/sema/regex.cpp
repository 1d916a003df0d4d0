#include "compiler/sema/regex.h"

#include <algorithm>
#include <array>
#include <utility>

namespace heddle::sema {

namespace {

using model::Bytes;
using model::Regex;

constexpr std::size_t max_depth = 64;
constexpr std::uint32_t max_repeats = 1000;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}
bool goes_on_a_character(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}
bool is_ascii(char c) {
  return static_cast<unsigned char>(c) < 0x80;
}

Bytes one(char c) {
  Bytes bytes;
  bytes.set(static_cast<unsigned char>(c));
  return bytes;
}

Bytes range(unsigned char first, unsigned char last) {
  Bytes bytes;
  for (unsigned c = first; c <= last; ++c) bytes.set(c);
  return bytes;
}

/// `\d`, `\w`, `\s`, and in capitals everything else.
std::optional<Bytes> named_class(char name) {
  Bytes bytes;
  switch (static_cast<char>(name | 0x20)) {
    case 'd':
      bytes = range('0', '9');
      break;
    case 'w':
      bytes = range('0', '9') | range('a', 'z') | range('A', 'Z') | one('_');
      break;
    case 's':
      bytes = one(' ') | range('\t', '\r');
      break;
    default:
      return std::nullopt;
  }
  return (name & 0x20) != 0 ? bytes : ~bytes;
}

Bytes in_either_case(Bytes bytes) {
  for (std::size_t c = 'a'; c <= 'z'; ++c) {
    const bool there = bytes[c] || bytes[c - 0x20];
    bytes[c] = there;
    bytes[c - 0x20] = there;
  }
  return bytes;
}

Regex byte_of(Bytes bytes) {
  Regex regex;
  regex.kind = Regex::Kind::bytes;
  regex.bytes = bytes;
  return regex;
}

/// The first mistake ends the reading: what follows it could mean anything.
class Reader {
 public:
  Reader(std::string_view text, RegexText of) : text_(text), of_(of) {}

  ReadRegex read() {
    Regex regex = read_choice(0);
    if (!failed() && !at_end()) fail(at_, 1, "this `)` closes nothing", "a byte `)` is written `\\)`");
    return {std::move(regex), std::move(error_)};
  }

 private:
  [[nodiscard]] bool failed() const { return error_.has_value(); }
  [[nodiscard]] bool at_end() const { return at_ == text_.size(); }
  [[nodiscard]] char look(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }
  bool take_if(char c) {
    if (at_end() || look() != c) return false;
    ++at_;
    return true;
  }
  void fail(std::size_t at, std::size_t length, std::string why, std::string help = "") {
    if (!error_) error_ = RegexError{at, std::max<std::size_t>(length, 1), std::move(why), std::move(help)};
  }

  Regex read_choice(std::size_t depth) {
    Regex choice;
    choice.kind = Regex::Kind::choice;
    do choice.children.push_back(read_sequence(depth));
    while (!failed() && take_if('|'));
    return choice.children.size() == 1 ? std::move(choice.children.front()) : std::move(choice);
  }

  Regex read_sequence(std::size_t depth) {
    Regex sequence;
    digits_of_escape_ = 0;
    while (!failed() && !at_end() && look() != '|' && look() != ')') {
      Regex atom = read_atom(depth);
      if (!failed()) sequence.children.push_back(read_repeat(std::move(atom)));
    }
    digits_of_escape_ = 0;
    return sequence.children.size() == 1 ? std::move(sequence.children.front()) : std::move(sequence);
  }

  Regex read_atom(std::size_t depth) {
    const char c = look();
    const bool plain = c != '\\' && c != '[' && c != '(' && c != '.';
    if (!plain) digits_of_escape_ = 0;
    switch (c) {
      case '(':
        return read_group(depth);
      case '[':
        return byte_of(cased(read_class()));
      case '.':
        ++at_;
        return byte_of(~Bytes());
      case '\\':
        return byte_of(cased(read_escape()));
      case '^':
      case '$':
        fail(at_, 1, "a value is matched as a whole, there are no anchors",
             std::string("leave it out; a byte `") + c + "` is written `\\" + c + "`");
        return {};
      case '*':
      case '+':
      case '?':
      case '{':
        fail(at_, 1, "there is nothing to repeat", std::string("a byte `") + c + "` is written `\\" + c + "`");
        return {};
      default:
        return read_character();
    }
  }

  Regex read_group(std::size_t depth) {
    const std::size_t begin = at_++;
    if (look() == '?') {
      fail(begin, 2, "a group only groups: there are no flags, names, captures or looking around",
           text_.substr(begin).starts_with("(?:") ? "write `(`" : "");
      return {};
    }
    if (depth == max_depth) {
      fail(begin, 1, "groups are nested more than 64 deep");
      return {};
    }
    Regex inner = read_choice(depth + 1);
    if (!failed() && !take_if(')')) fail(begin, 1, "this `(` is never closed", "a byte `(` is written `\\(`");
    return inner;
  }

  /// A character outside ASCII is all of its bytes, so that what follows repeats the character.
  Regex read_character() {
    const std::size_t begin = at_;
    Regex character;
    do character.children.push_back(byte_of(cased(one(text_[at_++]))));
    while (!at_end() && goes_on_a_character(look()) && !is_ascii(text_[begin]));
    check_escape_digit(begin);
    return character.children.size() == 1 ? std::move(character.children.front()) : std::move(character);
  }

  /// Values are compared with their escapes in upper case, so a lower-case digit would never match.
  void check_escape_digit(std::size_t at) {
    const char c = text_[at];
    if (of_ != RegexText::escapes) return;
    if (digits_of_escape_ > 0 && c >= 'a' && c <= 'f') {
      const std::size_t percent = text_.rfind('%', at);
      std::string spelling(text_.substr(percent, 3));
      for (char& digit : spelling) {
        if (digit >= 'a' && digit <= 'f') digit = static_cast<char>(digit - 0x20);
      }
      return fail(at, 1, "escapes are compared with upper-case digits", "write `" + spelling + "`");
    }
    digits_of_escape_ = c == '%' ? 2 : std::max(0, digits_of_escape_ - 1);
  }

  [[nodiscard]] Bytes cased(const Bytes& bytes) const {
    return of_ == RegexText::host ? in_either_case(bytes) : bytes;
  }

  /// Behind a backslash, in a class and outside of it.
  Bytes read_escape() {
    const std::size_t begin = at_++;
    const char c = look();
    if (at_end()) {
      fail(begin, 1, "a backslash stands before what it escapes");
      return {};
    }
    ++at_;
    if (c == 'n') return one('\n');
    if (c == 't') return one('\t');
    if (c == 'x') return read_hex(begin);
    if (const auto known = named_class(c)) return *known;
    if (is_letter(c) || is_digit(c)) {
      fail(begin, 2, std::string("`\\") + c + "` is not known",
           "there are `\\d` `\\w` `\\s` `\\D` `\\W` `\\S` `\\n` `\\t` `\\xHH`, and a backslash before punctuation");
    }
    return one(c);
  }

  Bytes read_hex(std::size_t begin) {
    const int high = hex_value(look());
    const int low = hex_value(look(1));
    if (high < 0 || low < 0) {
      fail(begin, 2, "`\\x` is followed by two hex digits");
      return {};
    }
    at_ += 2;
    return one(static_cast<char>(high * 16 + low));
  }

  Bytes read_class() {
    const std::size_t begin = at_++;
    const bool negated = take_if('^');
    Bytes bytes;
    if (look() == ']') fail(at_, 1, "this class is empty", "a byte `]` is written `\\]`");
    while (!failed() && !at_end() && look() != ']') bytes |= read_class_item();
    if (!failed() && !take_if(']')) fail(begin, 1, "this `[` is never closed", "a byte `[` is written `\\[`");
    return negated ? ~cased(bytes) : bytes;
  }

  Bytes read_class_item() {
    const std::size_t begin = at_;
    const Bytes first = read_class_byte();
    if (failed() || look() != '-' || look(1) == ']' || at_ + 1 >= text_.size()) return first;
    ++at_;
    const Bytes last = read_class_byte();
    if (failed()) return first;
    if (first.count() != 1 || last.count() != 1) {
      fail(begin, at_ - begin, "a range goes from one byte to another", "a byte `-` is written `\\-`");
      return first;
    }
    const auto value = [](const Bytes& bytes) {
      std::size_t c = 0;
      while (!bytes[c]) ++c;
      return static_cast<unsigned char>(c);
    };
    if (value(first) > value(last)) fail(begin, at_ - begin, "this range is empty: its ends are the wrong way round");
    return range(value(first), value(last));
  }

  Bytes read_class_byte() {
    const char c = look();
    if (c == '\\') return read_escape();
    if (c == '[' && (look(1) == ':' || look(1) == '.' || look(1) == '=')) {
      fail(at_, 2, "there are no named classes",
           "write `a-z`, `\\d`, `\\w`, `\\s`; a byte `[` is written `\\[`");
    } else if (!is_ascii(c)) {
      std::size_t length = 1;
      while (goes_on_a_character(look(length))) ++length;
      fail(at_, length, "a class is made of single bytes", "characters outside ASCII have several: write `(ä|ö)`");
    }
    ++at_;
    return one(c);
  }

  Regex read_repeat(Regex atom) {
    const std::size_t begin = at_;
    Regex repeat;
    repeat.kind = Regex::Kind::repeat;
    if (take_if('+')) {
      repeat.least = 1;
    } else if (take_if('?')) {
      repeat.most = 1;
    } else if (look() == '{') {
      read_bounds(repeat);
    } else if (!take_if('*')) {
      return atom;
    }
    digits_of_escape_ = 0;
    if (failed()) return atom;
    const char next = look();
    if (next == '?' || next == '+') {
      fail(at_, 1, "there are no lazy or possessive repetitions: whether a value matches does not depend on them",
           std::string("leave the `") + next + "` out");
    } else if (next == '*' || next == '{') {
      fail(begin, at_ - begin + 1, "what is repeated already is repeated", "put it in parentheses");
    }
    repeat.children.push_back(std::move(atom));
    return repeat;
  }

  void read_bounds(Regex& repeat) {
    const std::size_t begin = at_++;
    const auto least = read_number();
    std::optional<std::uint32_t> most = least;
    const bool two = least && take_if(',');
    if (two) most = read_number();
    if (!least || !take_if('}')) {
      const std::size_t length = at_ - begin;
      return fail(begin, length, "a repetition is `{m}`, `{m,}` or `{m,n}`", "a byte `{` is written `\\{`");
    }
    repeat.least = *least;
    repeat.most = most;
    const std::size_t length = at_ - begin;
    if (std::max(*least, most.value_or(0)) > max_repeats) {
      return fail(begin, length, "nothing is repeated more than 1000 times", "`{m,}` has no upper bound");
    }
    if (most && *most == 0) return fail(begin, length, "what is repeated no times is nothing");
    if (most && *most < *least) fail(begin, length, "the lower bound is above the upper one");
  }

  std::optional<std::uint32_t> read_number() {
    if (at_end() || !is_digit(look())) return std::nullopt;
    std::uint32_t value = 0;
    while (!at_end() && is_digit(look())) {
      value = std::min<std::uint32_t>(value * 10 + static_cast<std::uint32_t>(look() - '0'), max_repeats + 1);
      ++at_;
    }
    return value;
  }

  std::string_view text_;
  RegexText of_;
  std::size_t at_ = 0;
  int digits_of_escape_ = 0;  // that may follow here, behind a literal `%`
  std::optional<RegexError> error_;
};

bool may_be_empty(const Regex& regex) {
  const auto empty = [](const Regex& child) { return may_be_empty(child); };
  switch (regex.kind) {
    case Regex::Kind::bytes:
      return false;
    case Regex::Kind::sequence:
      return std::all_of(regex.children.begin(), regex.children.end(), empty);
    case Regex::Kind::choice:
      return std::any_of(regex.children.begin(), regex.children.end(), empty);
    case Regex::Kind::repeat:
      break;
  }
  return regex.least == 0 || may_be_empty(regex.children.front());
}

}  // namespace

ReadRegex read_regex(std::string_view text, RegexText of) {
  return Reader(text, of).read();
}

std::size_t size_of(const Regex& regex) {
  if (regex.kind == Regex::Kind::bytes) return 1;
  std::size_t sum = 0;
  for (const Regex& child : regex.children) sum = std::min(sum + size_of(child), max_regex_size + 1);
  if (regex.kind != Regex::Kind::repeat) return sum;
  const std::size_t times = std::max<std::size_t>(regex.most.value_or(regex.least), 1);
  return std::min(sum * times, max_regex_size + 1);
}

bool may_begin_with(const Regex& regex, unsigned char byte) {
  if (regex.kind == Regex::Kind::bytes) return regex.bytes[byte];
  for (const Regex& child : regex.children) {
    if (may_begin_with(child, byte)) return true;
    if (regex.kind == Regex::Kind::sequence && !may_be_empty(child)) return false;
  }
  return false;
}

}  // namespace heddle::sema
