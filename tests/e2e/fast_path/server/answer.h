#pragma once

#include <cstdint>
#include <string>

#include "tests/e2e/fast_path/server/request.h"

namespace heddle::fast_path {

/// What is written for one request, and how.
struct Answer {
  enum class After { keep, close, reset };

  std::string front;       // the head, and what is no pattern
  std::uint64_t size = 0;  // of the body that is pattern
  bool chunked = false;
  std::string back;         // behind it
  std::uint64_t piece = 0;  // bytes of one write; 0: as many as there are
  int delay_ms = 0;         // before the first byte
  int pause_ms = 0;         // after each piece
  After after = After::keep;
  bool held = false;    // until somebody says so
  std::string unasked;  // written when the answer is out
};

/// The second word of the path says how to answer: answer.cpp has the table.
Answer answer_to(const Request& request, const std::string& endpoint);

/// An answer that is on its way.
class Writing {
 public:
  explicit Writing(Answer answer) : answer_(std::move(answer)), out_(answer_.front) { fill(); }

  /// Bytes for the next write; none: all is out.
  std::string_view next();
  void wrote(std::size_t count) { sent_ += count; }
  [[nodiscard]] const Answer& answer() const { return answer_; }

 private:
  void fill();

  Answer answer_;
  std::string out_;
  std::size_t sent_ = 0;  // of out_
  std::uint64_t position_ = 0;
  bool ended_ = false;
};

}  // namespace heddle::fast_path
