#pragma once

#include <string>
#include <vector>

#include "runtime/base/result.h"
#include "runtime/bundle/manifest.h"

namespace heddle::cli {

/// Cgroups of workloads that were not there, made for the time of a `heddle run`. What somebody else made is
/// left alone, and so is one that still has processes.
class MadeCgroups {
 public:
  explicit MadeCgroups(std::string root) : root_(std::move(root)) {}
  ~MadeCgroups();
  MadeCgroups(const MadeCgroups&) = delete;
  MadeCgroups& operator=(const MadeCgroups&) = delete;

  /// Makes what the workloads lack. Patterns with `*` name nothing that could be made.
  Result<void> make(const bundle::Manifest& manifest);

 private:
  std::string root_;
  std::vector<std::string> made_;  // parents before children
};

}  // namespace heddle::cli
