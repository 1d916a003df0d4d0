#pragma once

#include <cstdint>

namespace heddle::io {

/// What waits in a Deadlines queue. One object waits for one thing at a time.
class Deadline {
 public:
  Deadline() = default;
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

  [[nodiscard]] bool waiting() const { return next_ != nullptr; }
  void cancel() {
    if (next_ == nullptr) return;
    next_->previous_ = previous_;
    previous_->next_ = next_;
    next_ = previous_ = nullptr;
  }

  virtual void on_deadline() = 0;

 protected:
  ~Deadline() { cancel(); }

 private:
  friend class Deadlines;
  Deadline* next_ = nullptr;
  Deadline* previous_ = nullptr;
  std::uint64_t due_ms_ = 0;
};

/// Deadlines that all are equally far away when they are set, so that a list in order of setting is in order
/// of time, and setting and cancelling cost nothing.
class Deadlines {
 public:
  explicit Deadlines(std::uint64_t duration_ms) : duration_ms_(duration_ms) {
    list_.next_ = list_.previous_ = &list_;
  }
  Deadlines(const Deadlines&) = delete;
  Deadlines& operator=(const Deadlines&) = delete;

  void set(Deadline& deadline, std::uint64_t now_ms) {
    deadline.cancel();
    deadline.due_ms_ = now_ms + duration_ms_;
    deadline.previous_ = list_.previous_;
    deadline.next_ = &list_;
    list_.previous_->next_ = &deadline;
    list_.previous_ = &deadline;
  }

  /// Calls on_deadline of all that are due, after cancelling them.
  void expire(std::uint64_t now_ms) {
    while (list_.next_ != &list_ && list_.next_->due_ms_ <= now_ms) {
      Deadline* due = list_.next_;
      due->cancel();
      due->on_deadline();
    }
  }

  [[nodiscard]] std::uint64_t duration_ms() const { return duration_ms_; }

  /// Milliseconds to the first one; -1 if there is none.
  [[nodiscard]] std::int64_t next_in(std::uint64_t now_ms) const {
    if (list_.next_ == &list_) return -1;
    return list_.next_->due_ms_ <= now_ms ? 0 : static_cast<std::int64_t>(list_.next_->due_ms_ - now_ms);
  }

 private:
  struct Anchor final : Deadline {
    void on_deadline() override {}
  };

  std::uint64_t duration_ms_;
  Anchor list_;
};

}  // namespace heddle::io
