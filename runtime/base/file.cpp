#include "runtime/base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "runtime/base/fd.h"

namespace heddle {
namespace {

ErrorKind kind_of(int number) {
  switch (number) {
    case ENOENT:
    case ENOTDIR:
      return ErrorKind::not_found;
    case EPERM:
    case EACCES:
      return ErrorKind::permission;
    case EBUSY:
    case EADDRINUSE:
      return ErrorKind::busy;
    default:
      return ErrorKind::io;
  }
}

Result<void> write_all(int fd, std::span<const std::byte> content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t count = ::write(fd, content.data(), content.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_error("cannot write `" + path + "`", errno);
    content = content.subspan(static_cast<std::size_t>(count));
  }
  return {};
}

}  // namespace

Error system_error(const std::string& what, int number) {
  return Error{kind_of(number), what + ": " + std::strerror(number), ""};
}

Result<std::vector<std::byte>> read_file(const std::string& path, std::size_t limit) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return system_error("cannot open `" + path + "`", errno);
  return read_open_file(fd.get(), path, limit);
}

Result<std::vector<std::byte>> read_open_file(int fd, const std::string& path, std::size_t limit) {
  struct stat info{};
  if (::fstat(fd, &info) != 0) return system_error("cannot look at `" + path + "`", errno);
  const Error too_large{ErrorKind::invalid,
                        "`" + path + "` is larger than " + std::to_string(limit) + " bytes", ""};
  if (S_ISREG(info.st_mode) && static_cast<std::size_t>(info.st_size) > limit) return too_large;

  std::vector<std::byte> content;
  std::size_t used = 0;
  for (;;) {
    if (used == content.size())
      content.resize(used == 0 ? static_cast<std::size_t>(info.st_size) + 1 : used * 2 + 4096);
    const ssize_t count = ::read(fd, content.data() + used, content.size() - used);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_error("cannot read `" + path + "`", errno);
    if (count == 0) break;
    used += static_cast<std::size_t>(count);
    if (used > limit) return too_large;
  }
  content.resize(used);
  return content;
}

std::string read_text(const std::string& path) {
  constexpr std::size_t limit = 64U << 20U;
  Result<std::vector<std::byte>> content = read_file(path, limit);
  if (!content) return {};
  return {reinterpret_cast<const char*>(content->data()), content->size()};
}

Result<void> write_file(const std::string& path, std::span<const std::byte> content) {
  const std::string draft = path + ".tmp." + std::to_string(::getpid());
  UniqueFd fd(::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (!fd) return system_error("cannot create `" + path + "`", errno);
  Result<void> written = write_all(fd.get(), content, path);
  if (written.ok() && ::rename(draft.c_str(), path.c_str()) != 0) {
    written = system_error("cannot write `" + path + "`", errno);
  }
  if (!written) ::unlink(draft.c_str());
  return written;
}

}  // namespace heddle
