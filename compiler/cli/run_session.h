#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "compiler/cli/file_watch.h"
#include "compiler/cli/made_cgroups.h"
#include "runtime/base/fd.h"
#include "runtime/base/result.h"
#include "runtime/bundle/manifest.h"

namespace heddle::cli {

struct RunOptions {
  std::vector<std::string> paths;
  std::string control;
  std::string cgroup_root;
  std::string zone;
  std::string identities;
  std::string node;
  std::string log_level = "warn";
};

/// One `heddle run`: an agent of its own for as long as it lasts, and nothing left afterwards.
class RunSession {
 public:
  explicit RunSession(RunOptions options) : options_(std::move(options)) {}
  ~RunSession();
  RunSession(const RunSession&) = delete;
  RunSession& operator=(const RunSession&) = delete;

  /// Until Ctrl-C; an ExitCode.
  int run();

 private:
  Result<void> prepare();
  /// Runs `heddle build` in a process of its own; its exit code. Diagnostics go where ours go.
  int build();
  /// Starts the agent on the bundle; 0, or the exit code with which it gave up.
  int start_agent();
  int watch();
  /// True: a signal asks for the end.
  bool wait_for_change();
  void reload();
  void end_agent();

  RunOptions options_;
  std::string folder_;  // temporary
  std::string bundle_;
  std::string digest_;  // of the policy in force
  std::unique_ptr<MadeCgroups> cgroups_;
  std::unique_ptr<FileWatch> files_;
  UniqueFd signals_;
  pid_t agent_ = -1;
  UniqueFd agent_end_;  // pidfd: readable when the agent has ended
};

}  // namespace heddle::cli
