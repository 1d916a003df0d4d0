#include "compiler/cli/file_watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <string_view>

#include "runtime/base/file.h"

namespace heddle::cli {

namespace fs = std::filesystem;

Result<FileWatch> FileWatch::make(const std::vector<std::string>& paths) {
  UniqueFd inotify(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!inotify) return system_error("cannot watch files", errno);
  FileWatch watch(std::move(inotify), paths);
  watch.watch_all();
  return watch;
}

/// Folders, never the files: editors replace a file by another of its name, and a watch would stay with the
/// old one.
void FileWatch::watch_all() {
  std::error_code error;
  for (const std::string& path : paths_) {
    if (!fs::is_directory(path, error)) {
      const fs::path folder = fs::path(path).parent_path();
      watch(folder.empty() ? "." : folder.string());
      continue;
    }
    watch(path);
    for (const auto& entry : fs::recursive_directory_iterator(path, error)) {
      if (entry.is_directory(error)) watch(entry.path());
    }
  }
}

void FileWatch::watch(const std::string& folder) {
  ::inotify_add_watch(inotify_.get(), folder.c_str(),
                      IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE | IN_ONLYDIR);
}

bool FileWatch::take() {
  bool changed = false;
  bool folders = false;
  alignas(inotify_event) std::array<char, 16384> buffer;
  for (ssize_t size = 0; (size = ::read(inotify_.get(), buffer.data(), buffer.size())) > 0;) {
    for (const char* at = buffer.data(); at < buffer.data() + size;) {
      const auto* event = reinterpret_cast<const inotify_event*>(at);
      at += sizeof(inotify_event) + event->len;
      const std::string_view name = event->len == 0 ? std::string_view() : event->name;
      folders = folders || (event->mask & (IN_ISDIR | IN_Q_OVERFLOW)) != 0;
      changed = changed || folders || ((name.ends_with(".mesh") || name.ends_with(".c")) && (event->mask & IN_CREATE) == 0);
    }
  }
  if (folders) watch_all();
  return changed;
}

}  // namespace heddle::cli
