#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/e2e/fast_path/server/pattern.h"

namespace heddle::fast_path {

struct Request {
  std::string method;
  std::string target;
  std::vector<std::string> words;  // of the target's path
  std::uint64_t body = 0;          // its size
  bool http10 = false;
};

/// Reads what a connection brings and allows nothing but whole requests that the policy lets through to this
/// endpoint: their path begins with the endpoint's name or `any`, they have no `x-deny`, their head obeys
/// docs/requests.md, and their body is the pattern, or has the sum that `x-body-fnv` says; only with
/// `x-body-any` it may be anything.
class RequestReader {
 public:
  enum class Outcome { more, complete, violation };

  explicit RequestReader(std::string endpoint) : endpoint_(std::move(endpoint)) {}

  void add(std::string_view bytes) { in_ += bytes; }
  /// One request of what was added.
  Outcome next();

  [[nodiscard]] const Request& request() const { return request_; }
  /// Nothing of a further request has come.
  [[nodiscard]] bool empty() const { return state_ == State::head && in_.empty(); }
  /// What has come of it is no whole head.
  [[nodiscard]] bool in_head() const { return state_ == State::head; }
  [[nodiscard]] const std::string& why() const { return why_; }
  [[nodiscard]] const std::string& bytes() const { return in_; }

 private:
  enum class State { head, length, chunk_size, chunk, chunk_end, trailer };

  Outcome take_head();
  Outcome take_body();
  bool take_line(std::string& line);
  bool take_content();
  bool take_chunk_line();
  bool parse_head(std::string_view head);
  bool parse_request_line(std::string_view line);
  bool parse_field(std::string_view line);
  bool check_path();
  Outcome finish();
  bool refuse(std::string why);

  const std::string endpoint_;
  std::string in_;
  std::string why_;
  Request request_;
  State state_ = State::head;
  std::uint64_t left_ = 0;
  std::uint64_t sum_ = 0;
  std::uint64_t sum_said_ = 0;
  int hosts_ = 0;
  int lengths_ = 0;
  int encodings_ = 0;
  bool summed_ = false;
  bool any_body_ = false;
};

}  // namespace heddle::fast_path
