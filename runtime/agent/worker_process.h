#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "runtime/base/fd.h"
#include "runtime/base/result.h"
#include "runtime/handler/contract.h"

namespace heddle::agent {

/// Who the workers are: nobody who owns anything.
struct WorkerUser {
  uid_t user = 0;
  gid_t group = 0;
};
/// `heddle-worker` if there is such a user, else `nobody`.
Result<WorkerUser> find_worker_user();

/// One handler process: this program again, without privilege from before its first instruction.
class WorkerProcess {
 public:
  static Result<WorkerProcess> spawn(const WorkerUser& user);
  WorkerProcess(WorkerProcess&&) = default;
  WorkerProcess& operator=(WorkerProcess&&) = default;

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] int fd() const { return control_.get(); }

  Result<void> send(const handler::Message& message, const std::vector<int>& fds) const;
  /// A message that is there; none: nothing is. An error: the worker has gone.
  [[nodiscard]] Result<std::optional<handler::Message>> receive() const;
  void kill() const;
  /// Waits for its end; what is to be said about it.
  std::string reap();

 private:
  WorkerProcess(pid_t pid, UniqueFd control) : pid_(pid), control_(std::move(control)) {}
  pid_t pid_;
  UniqueFd control_;
};

}  // namespace heddle::agent
