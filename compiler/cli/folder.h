#pragma once

#include <string>
#include <vector>

#include "runtime/base/result.h"

namespace heddle::cli {

struct NewFile {
  std::string name;
  std::string text;
  unsigned mode = 0644;  // 0600: for the owner alone, from its first byte on
};

/// Makes the folder with these files, or puts a new one into the place of one that has no other files. Whoever looks sees all old
/// files or all new ones. Where the file system cannot exchange two folders, there is for an instant none.
Result<void> replace_folder(const std::string& path, const std::vector<NewFile>& files);

/// Replaces a file at once, with that mode.
Result<void> replace_file(const std::string& folder, const NewFile& file);

}  // namespace heddle::cli
