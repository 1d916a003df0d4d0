#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "runtime/base/fd.h"
#include "runtime/base/result.h"

namespace heddle::agent {

using Clock = std::chrono::steady_clock;

/// What the supervisor waits for: descriptors and points in time, on one thread.
class Loop {
 public:
  static Result<Loop> make();

  /// `ready` is called whenever the descriptor is readable or has hung up; until `forget`.
  Result<void> watch(int fd, std::function<void()> ready);
  void forget(int fd);
  void after(std::chrono::milliseconds delay, std::function<void()> task);
  /// Until `stop`.
  void run();
  void stop() { stopped_ = true; }

 private:
  Loop() = default;
  void wait();
  void run_due();

  UniqueFd epoll_;
  std::map<int, std::function<void()>> ready_;
  std::multimap<Clock::time_point, std::function<void()>> tasks_;
  bool stopped_ = false;
};

}  // namespace heddle::agent
