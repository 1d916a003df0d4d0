#pragma once

namespace heddle::handler {

/// Somebody who connected: what the engine knows of all of them, whatever they speak.
class Client {
 public:
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  virtual ~Client() = default;

  virtual void start() = 0;
  /// Goes on after resume_later().
  virtual void resume() = 0;
  /// The engine drains: who is idle ends now, another when it is done.
  virtual void drain() = 0;
  virtual void close() = 0;

  [[nodiscard]] bool resume_pending() const { return resume_pending_; }

  // The engine's list of all.
  void link(Client*& first) {
    next_ = first;
    if (first != nullptr) first->previous_ = this;
    first = this;
  }
  void unlink(Client*& first) {
    if (next_ != nullptr) next_->previous_ = previous_;
    (previous_ != nullptr ? previous_->next_ : first) = next_;
  }
  [[nodiscard]] Client* next() const { return next_; }

 protected:
  Client() = default;

  bool resume_pending_ = false;

 private:
  Client* next_ = nullptr;
  Client* previous_ = nullptr;
};

}  // namespace heddle::handler
