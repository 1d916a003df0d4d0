#pragma once

#include <string>
#include <vector>

#include "runtime/base/fd.h"
#include "runtime/base/result.h"

namespace heddle::cli {

/// Tells when files or folders that were named on a command line change, whichever way an editor saves.
class FileWatch {
 public:
  static Result<FileWatch> make(const std::vector<std::string>& paths);
  /// Readable when something has changed.
  [[nodiscard]] int fd() const { return inotify_.get(); }
  /// Takes what has changed. Folders that are new are watched from then on. True: a policy may read otherwise
  /// now.
  bool take();

 private:
  explicit FileWatch(UniqueFd inotify, std::vector<std::string> paths)
      : inotify_(std::move(inotify)), paths_(std::move(paths)) {}
  void watch_all();
  void watch(const std::string& folder);

  UniqueFd inotify_;
  std::vector<std::string> paths_;
};

}  // namespace heddle::cli
