#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "compiler/model/regex.h"

/// Regular expressions as policies write them (language reference, "Regular expressions").
namespace heddle::sema {

/// What values an expression is compared with.
enum class RegexText {
  bytes,
  host,  // in lower case: a letter stands for both cases
  escapes  // of paths and queries: with upper-case digits
};

/// What is wrong, and where: bytes [at, at + length) of the text.
struct RegexError {
  std::size_t at = 0;
  std::size_t length = 1;
  std::string why;
  std::string help;  // empty: none
};

struct ReadRegex {
  model::Regex regex;
  std::optional<RegexError> error;
};

/// Places that one expression may have.
inline constexpr std::size_t max_regex_size = 4096;

/// `text` as it stands between the slashes.
ReadRegex read_regex(std::string_view text, RegexText of);

/// How many bytes the expression names, each repetition written out; more than `max_regex_size` are not counted.
std::size_t size_of(const model::Regex& regex);

/// Whether some value that it matches begins with that byte.
bool may_begin_with(const model::Regex& regex, unsigned char byte);

}  // namespace heddle::sema
