#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "runtime/base/result.h"

namespace heddle {

/// `what: strerror(number)`, with the kind that the error number stands for.
Error system_error(const std::string& what, int number);

/// The whole of a regular file, or of a pipe. A file of more than `limit` bytes is refused before it is read.
Result<std::vector<std::byte>> read_file(const std::string& path, std::size_t limit);

/// The same of a file that is open; errors call it `path`.
Result<std::vector<std::byte>> read_open_file(int fd, const std::string& path, std::size_t limit);

/// Files of /proc and /sys, which have no size; empty when they cannot be read.
std::string read_text(const std::string& path);

/// Replaces the file at once: a reader sees the old content or the new one, never a part.
Result<void> write_file(const std::string& path, std::span<const std::byte> content);

}  // namespace heddle
