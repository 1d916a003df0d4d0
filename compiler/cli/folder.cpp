#include "compiler/cli/folder.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <string_view>

#include "runtime/base/fd.h"
#include "runtime/base/file.h"

namespace heddle::cli {
namespace {

namespace fs = std::filesystem;

Result<void> write_new(const std::string& path, const NewFile& file) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, file.mode));
  if (!fd) return system_error("cannot create `" + path + "`", errno);
  std::string_view rest = file.text;
  while (!rest.empty()) {
    const ssize_t count = ::write(fd.get(), rest.data(), rest.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_error("cannot write `" + path + "`", errno);
    rest.remove_prefix(static_cast<std::size_t>(count));
  }
  if (::fsync(fd.get()) != 0) return system_error("cannot write `" + path + "`", errno);
  return {};
}

/// A name beside it that readers of the folder leave alone.
std::string draft_of(const fs::path& path) {
  return (path.parent_path() / ("." + path.filename().string() + "." + std::to_string(::getpid()))).string();
}

Result<void> write_draft(const std::string& draft, const std::vector<NewFile>& files) {
  if (::mkdir(draft.c_str(), 0755) != 0) return system_error("cannot make `" + draft + "`", errno);
  for (const NewFile& file : files) {
    if (Result<void> written = write_new(draft + "/" + file.name, file); !written) return written;
  }
  return {};
}

/// What stands in the way of being replaced.
Result<void> check_content(const std::string& path, const std::vector<NewFile>& files) {
  std::error_code reason;
  for (fs::directory_iterator entry(path, reason), end; !reason && entry != end; entry.increment(reason)) {
    const std::string name = entry->path().filename().string();
    if (std::ranges::none_of(files, [&](const NewFile& file) { return file.name == name; }))
      return Error{ErrorKind::usage, "`" + path + "` has a file `" + name + "` that is not ours, and is left as it is", "write into another folder"};
  }
  return reason ? Result<void>(system_error("cannot read `" + path + "`", reason.value())) : Result<void>();
}

Result<void> put_in_place(const std::string& draft, const std::string& path, const std::vector<NewFile>& files) {
  const auto failed = [&] { return system_error("cannot write `" + path + "`", errno); };
  if (::renameat2(AT_FDCWD, draft.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) == 0) return {};
  if (errno != EEXIST) return failed();
  if (Result<void> free = check_content(path, files); !free) return free;
  if (::renameat2(AT_FDCWD, draft.c_str(), AT_FDCWD, path.c_str(), RENAME_EXCHANGE) == 0) return {};
  if (errno != EINVAL) return failed();
  const std::string old = draft + ".old";
  if (::rename(path.c_str(), old.c_str()) != 0 || ::rename(draft.c_str(), path.c_str()) != 0) return failed();
  return ::rename(old.c_str(), draft.c_str()) == 0 ? Result<void>() : failed();
}

}  // namespace

Result<void> replace_folder(const std::string& path, const std::vector<NewFile>& files) {
  const std::string draft = draft_of(path);
  Result<void> done = write_draft(draft, files);
  if (done) done = put_in_place(draft, path, files);
  // The old content, or what was never whole.
  std::error_code reason;
  fs::remove_all(draft, reason);
  return done;
}

Result<void> replace_file(const std::string& folder, const NewFile& file) {
  const std::string path = (fs::path(folder) / file.name).string();
  const std::string draft = draft_of(path);
  Result<void> done = write_new(draft, file);
  if (done && ::rename(draft.c_str(), path.c_str()) != 0) done = system_error("cannot write `" + path + "`", errno);
  if (!done) ::unlink(draft.c_str());
  return done;
}

}  // namespace heddle::cli
