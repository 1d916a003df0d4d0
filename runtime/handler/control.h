#pragma once

#include <optional>
#include <vector>

#include "runtime/base/fd.h"
#include "runtime/handler/contract.h"

namespace heddle::handler {

struct Received {
  Message message;
  std::vector<UniqueFd> fds;
};

enum class ControlState { message, nothing, closed };

/// The worker's end of the control channel.
class Control {
 public:
  explicit Control(int fd) : fd_(fd) {}

  /// One message; `nothing` only if the channel is non-blocking. A message that is none counts as the end.
  [[nodiscard]] ControlState receive(Received& received);
  [[nodiscard]] bool send(const Message& message);
  void set_non_blocking();
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  UniqueFd fd_;
};

}  // namespace heddle::handler
