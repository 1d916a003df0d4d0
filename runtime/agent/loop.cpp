#include "runtime/agent/loop.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "runtime/base/file.h"

namespace heddle::agent {

Result<Loop> Loop::make() {
  Loop loop;
  loop.epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
  if (!loop.epoll_) return system_error("cannot wait for events", errno);
  return loop;
}

Result<void> Loop::watch(int fd, std::function<void()> ready) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0)
    return system_error("cannot wait for events", errno);
  ready_[fd] = std::move(ready);
  return {};
}

void Loop::forget(int fd) {
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  ready_.erase(fd);
}

void Loop::after(std::chrono::milliseconds delay, std::function<void()> task) {
  tasks_.emplace(Clock::now() + delay, std::move(task));
}

void Loop::run() {
  while (!stopped_) {
    wait();
    run_due();
  }
}

void Loop::wait() {
  std::array<epoll_event, 32> events{};
  int timeout = -1;
  if (!tasks_.empty()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(tasks_.begin()->first - Clock::now());
    timeout = static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000));
  }
  const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), timeout);
  for (int i = 0; i < count && !stopped_; ++i) {
    // One callback may have forgotten the descriptor of the next.
    const auto found = ready_.find(events[static_cast<std::size_t>(i)].data.fd);
    if (found == ready_.end()) continue;
    const std::function<void()> ready = found->second;
    ready();
  }
}

void Loop::run_due() {
  while (!stopped_ && !tasks_.empty() && tasks_.begin()->first <= Clock::now()) {
    const std::function<void()> task = std::move(tasks_.begin()->second);
    tasks_.erase(tasks_.begin());
    task();
  }
}

}  // namespace heddle::agent
