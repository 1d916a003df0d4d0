#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compiler/model/regex.h"

namespace heddle::model {

/// `rewrite path "/a" to "/b"`, `rewrite path like "/a/{x}/**" to "/b/{x}/**"`, `rewrite path to "/x"`.
struct PathRewrite {
  enum class Kind : std::uint8_t { prefix, like, whole };
  Kind kind = Kind::whole;
  std::string from;  // prefix: whole segments, without slash at its end, but `/`; like: the pattern
  std::string to;    // of a prefix without slash at its end, but `/`
};

/// `set header "n" "v"`. What has no value, as the identity of nobody, is removed by `set` and left out by `add`.
struct HeaderChange {
  enum class Action : std::uint8_t { set, add, remove };
  enum class Value : std::uint8_t { text, identity, address, claim };
  Action action = Action::set;
  std::string name;  // in lower case
  Value value = Value::text;
  std::string text;                // Value::text
  std::vector<std::string> claim;  // Value::claim: its path
};

/// What becomes of a request on its way to the server, and of the response on its way back.
struct Changes {
  std::optional<PathRewrite> path;
  std::optional<std::string> host;
  std::vector<HeaderChange> request;
  std::vector<HeaderChange> response;
};

/// Who may read responses from a page of another origin.
struct Cors {
  bool any_origin = false;           // `"*"`
  std::vector<std::string> origins;  // `https://shop.example`, as browsers write it
  std::vector<std::shared_ptr<const Regex>> patterns;
  std::vector<std::string> pattern_texts;  // of the patterns
  std::vector<std::string> methods;
  std::vector<std::string> headers;
  std::vector<std::string> expose;
  bool credentials = false;
  std::optional<std::uint32_t> max_age_s;
};

/// A part of the requests waits, or is not sent.
struct Fault {
  std::uint32_t delay_ms = 0;
  std::uint32_t delay_ppm = 0;
  std::uint16_t abort_status = 0;
  std::uint32_t abort_ppm = 0;
};

}  // namespace heddle::model
