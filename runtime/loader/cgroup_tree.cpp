#include "runtime/loader/cgroup_tree.h"

#include <dirent.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "runtime/base/file.h"
#include "runtime/loader/mounts.h"

namespace heddle::loader {
namespace {

std::vector<std::string> split(const std::string& path) {
  std::vector<std::string> parts;
  for (std::size_t start = 0; start < path.size();) {
    const std::size_t end = std::min(path.find('/', start), path.size());
    parts.push_back(path.substr(start, end - start));
    start = end + 1;
  }
  return parts;
}

std::size_t stars(const std::vector<std::string>& pattern) {
  return static_cast<std::size_t>(std::count_if(pattern.begin(), pattern.end(), [](const std::string& part) {
    return part.find('*') != std::string::npos;
  }));
}

}  // namespace

bool matches_name(std::string_view pattern, std::string_view name) {
  std::size_t at = 0;
  std::size_t from = 0;
  std::size_t star = std::string_view::npos;
  std::size_t resume = 0;
  while (from < name.size()) {
    if (at < pattern.size() && pattern[at] == '*') {
      star = at++;
      resume = from;
    } else if (at < pattern.size() && pattern[at] == name[from]) {
      ++at;
      ++from;
    } else if (star != std::string_view::npos) {
      at = star + 1;
      from = ++resume;
    } else {
      return false;
    }
  }
  while (at < pattern.size() && pattern[at] == '*') ++at;
  return at == pattern.size();
}

CgroupPatterns::CgroupPatterns(const std::vector<std::string>& patterns) {
  for (const std::string& pattern : patterns) patterns_.push_back(split(pattern));
}

hd_cgroup CgroupPatterns::classify(const std::vector<std::string>& parts) const {
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < patterns_.size(); ++i) {
    if (patterns_[i].size() != parts.size() || parts.empty()) continue;
    if (!std::equal(parts.begin(), parts.end(), patterns_[i].begin(),
                    [](const std::string& name, const std::string& pattern) {
                      return matches_name(pattern, name);
                    })) {
      continue;
    }
    // Of two patterns that fit, the one that says more.
    if (!best || stars(patterns_[i]) < stars(patterns_[*best])) best = i;
  }
  if (best) return {HD_CGROUP_WORKLOAD, static_cast<std::uint32_t>(*best)};
  return {leads_on(parts) ? std::uint32_t{HD_CGROUP_PARENT} : std::uint32_t{HD_CGROUP_OUTSIDE}, 0};
}

bool CgroupPatterns::leads_on(const std::vector<std::string>& parts) const {
  return std::any_of(patterns_.begin(), patterns_.end(), [&](const std::vector<std::string>& pattern) {
    return pattern.size() > parts.size() && std::equal(parts.begin(), parts.end(), pattern.begin(),
                                                       [](const std::string& name, const std::string& part) {
                                                         return matches_name(part, name);
                                                       });
  });
}

CgroupTree::CgroupTree(std::string root, const std::vector<std::string>& patterns, CgroupTable& table,
                       Report report, Changed changed)
    : root_(std::move(root)),
      patterns_(patterns),
      table_(table),
      report_(std::move(report)),
      changed_(changed ? std::move(changed) : [] {}) {}

Result<std::unique_ptr<CgroupTree>> CgroupTree::make(const std::string& root,
                                                     const std::vector<std::string>& patterns,
                                                     CgroupTable& table, Report report, Changed changed) {
  std::unique_ptr<CgroupTree> tree(
      new CgroupTree(root, patterns, table, std::move(report), std::move(changed)));
  if (Result<void> started = tree->start(); !started) return started.error();
  return tree;
}

Result<void> CgroupTree::start() {
  inotify_.reset(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  stop_.reset(::eventfd(0, EFD_CLOEXEC));
  if (!inotify_ || !stop_) return system_error("cannot watch the cgroup tree", errno);
  if (const Result<std::string> mount = find_cgroup2(); mount && root_.size() > mount->size()) {
    root_level_ = split(root_.substr(mount->size() + 1)).size();
  }
  appear("");
  if (known_.empty()) return Error{ErrorKind::not_found, "cgroup root `" + root_ + "` is gone", ""};
  thread_ = std::thread([this] { run(); });
  return {};
}

CgroupTree::~CgroupTree() {
  if (!thread_.joinable()) return;
  const std::uint64_t one = 1;
  static_cast<void>(::write(stop_.get(), &one, sizeof(one)));
  thread_.join();
}

void CgroupTree::run() {
  std::array<pollfd, 2> polled{{{inotify_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}}};
  while (polled[1].revents == 0) {
    if (::poll(polled.data(), polled.size(), -1) < 0 && errno != EINTR) return;
    if (polled[0].revents != 0) {
      const std::lock_guard lock(mutex_);
      read_events();
    }
  }
}

void CgroupTree::read_events() {
  alignas(inotify_event) std::array<char, 65536> buffer;
  for (;;) {
    const ssize_t size = ::read(inotify_.get(), buffer.data(), buffer.size());
    if (size <= 0) return;
    for (const char* at = buffer.data(); at < buffer.data() + size;) {
      const auto* event = reinterpret_cast<const inotify_event*>(at);
      at += sizeof(inotify_event) + event->len;
      if ((event->mask & IN_Q_OVERFLOW) != 0) rescan();
      if ((event->mask & (IN_MODIFY | IN_Q_OVERFLOW)) != 0) changed_();
      const auto watch = watches_.find(event->wd);
      if (watch == watches_.end()) continue;
      if ((event->mask & IN_IGNORED) != 0) {
        watches_.erase(watch);
        continue;
      }
      if ((event->mask & IN_ISDIR) == 0 || event->len == 0) continue;
      const std::string path = watch->second.empty() ? event->name : watch->second + "/" + event->name;
      refresh(path);
    }
  }
}

/// What an event says may be past: what counts is what is there now. A cgroup that is known stays entered
/// without a gap; one that was removed and made again is another.
void CgroupTree::refresh(const std::string& path) {
  struct stat info{};
  const bool there = ::stat(absolute(path).c_str(), &info) == 0;
  const auto known = known_.find(path);
  if (known != known_.end() && (!there || known->second.id != info.st_ino)) vanish(path);
  if (there) appear(path);
}

/// Enters a cgroup and, if workloads may lie below it, its children. The watch comes before the list, so that
/// a child is seen by the one or the other.
void CgroupTree::appear(const std::string& path) {
  struct stat info{};
  if (::stat(absolute(path).c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) return;
  const std::vector<std::string> parts = split(path);
  const hd_cgroup entry = patterns_.classify(parts);
  const bool leads_on = patterns_.leads_on(parts);
  if (leads_on) {
    const int watch = ::inotify_add_watch(inotify_.get(), absolute(path).c_str(),
                                          IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR);
    if (watch >= 0) watches_[watch] = path;
    if (watch < 0 && errno != ENOENT) report_(system_error("cannot watch cgroup `" + path + "`", errno).what);
  }
  const std::uint64_t id = info.st_ino;  // of cgroup v2, the inode's number is the cgroup's id
  // Between a look at it and this one it may have been made anew: then what was entered is another's.
  if (const auto old = known_.find(path); old != known_.end() && old->second.id != id) vanish(path);
  if (Result<void> set = table_.set(id, entry); !set) {
    report_("cgroup `" + path + "` stays without network: " + set.error().what);
    return;
  }
  const bool is_workload = entry.kind == HD_CGROUP_WORKLOAD;
  const auto [known, fresh] =
      known_.insert_or_assign(path, Known{id, entry, is_workload ? watch_events(path) : -1});
  if (fresh && is_workload && thread_.joinable()) {
    report_("cgroup `" + path + "` is a workload's");
    changed_();
  }
  if (is_workload) warn_if_too_deep(path, parts.size());
  if (leads_on) list_children(path);
}

/// The kernel changes this file when the first process comes and when the last goes, here or below. Without the
/// watch a connect tells that a process is there.
int CgroupTree::watch_events(const std::string& path) {
  return ::inotify_add_watch(inotify_.get(), (absolute(path) + "/cgroup.events").c_str(), IN_MODIFY);
}

void CgroupTree::forget(const Known& known) {
  table_.erase(known.id);
  if (known.events >= 0) ::inotify_rm_watch(inotify_.get(), known.events);
}

/// The hooks look at the first levels of the tree only: what lies deeper is never found, and so refused.
void CgroupTree::warn_if_too_deep(const std::string& path, std::size_t levels) const {
  if (root_level_ + levels < HD_LEVELS_MAX) return;
  report_("cgroup `" + path + "` stays without network: it lies more than " +
          std::to_string(HD_LEVELS_MAX - 1) + " levels deep");
}

void CgroupTree::list_children(const std::string& path) {
  DIR* folder = ::opendir(absolute(path).c_str());
  if (folder == nullptr) return;
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(folder)) {
    const std::string name = entry->d_name;
    if (entry->d_type == DT_DIR && name != "." && name != "..") names.push_back(name);
  }
  ::closedir(folder);
  for (const std::string& name : names) appear(path.empty() ? name : path + "/" + name);
}

void CgroupTree::vanish(const std::string& path) {
  const std::string below = path + "/";
  for (auto at = known_.lower_bound(path); at != known_.end();) {
    const bool inside = at->first == path || at->first.compare(0, below.size(), below) == 0;
    if (!inside && at->first.compare(0, path.size(), path) != 0) break;
    if (inside) forget(at->second);
    at = inside ? known_.erase(at) : std::next(at);
  }
}

void CgroupTree::rescan() {
  std::map<std::string, Known> before;
  before.swap(known_);
  appear("");
  for (const auto& [path, old] : before) {
    const auto now = known_.find(path);
    if (now == known_.end() || now->second.id != old.id) forget(old);
  }
}

std::string CgroupTree::absolute(const std::string& path) const {
  return path.empty() ? root_ : root_ + "/" + path;
}

std::vector<CgroupTree::Workload> CgroupTree::workloads() const {
  const std::lock_guard lock(mutex_);
  std::vector<Workload> found;
  for (const auto& [path, known] : known_) {
    if (known.entry.kind == HD_CGROUP_WORKLOAD) found.push_back({known.entry.workload, path, known.id});
  }
  return found;
}

std::optional<std::uint32_t> CgroupTree::workload_of(const std::string& folder) const {
  if (folder.compare(0, root_.size() + 1, root_ + "/") != 0) return std::nullopt;
  std::vector<std::string> parts = split(folder.substr(root_.size() + 1));
  for (; !parts.empty(); parts.pop_back()) {
    const hd_cgroup entry = patterns_.classify(parts);
    if (entry.kind == HD_CGROUP_WORKLOAD) return entry.workload;
  }
  return std::nullopt;
}

}  // namespace heddle::loader
