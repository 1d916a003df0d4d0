#pragma once

#include "runtime/base/result.h"

namespace heddle::cli {

/// What every command's exit code means (docs/cli.md).
enum ExitCode : int {
  exit_ok = 0,
  exit_policy = 1,        // the policy is wrong, a test failed, or a difference was found
  exit_usage = 2,         // wrong usage, I/O, or a bundle or machine that cannot be used
  exit_inconclusive = 4,  // an analysis could not decide
  exit_verifier = 5,      // the kernel's verifier refused
  exit_bug = 70,          // ours
};

/// Prints `heddle: <what>` and the help to standard error; returns the exit code that fits the error.
int report_error(const Error& error);

}  // namespace heddle::cli
