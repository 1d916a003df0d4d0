#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "runtime/base/result.h"

namespace heddle::cli {

/// The folder of the running program: where the others of the same build lie.
std::string program_folder();

/// Starts a program with our terminal; SIGINT and SIGTERM are as usual there, whatever we have blocked.
Result<pid_t> start_program(const std::vector<std::string>& arguments);

/// Waits for its end: its exit code, or 128 + the signal.
int wait_for(pid_t pid);

}  // namespace heddle::cli
