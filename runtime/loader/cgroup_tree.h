#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "bpf_templates/include/heddle/abi.h"
#include "runtime/base/fd.h"
#include "runtime/base/result.h"

namespace heddle::loader {

/// Where the tree puts what it finds: hd_cgroups of one generation.
class CgroupTable {
 public:
  virtual ~CgroupTable() = default;
  virtual Result<void> set(std::uint64_t id, hd_cgroup entry) = 0;
  virtual void erase(std::uint64_t id) = 0;
};

/// What a cgroup is to a policy: patterns lead from the root downwards, one part for each level.
class CgroupPatterns {
 public:
  explicit CgroupPatterns(const std::vector<std::string>& patterns);

  /// `parts` are the names from below the root to the cgroup itself; none is the root.
  [[nodiscard]] hd_cgroup classify(const std::vector<std::string>& parts) const;
  /// Whether something deeper may be a workload, so that the children must be known.
  [[nodiscard]] bool leads_on(const std::vector<std::string>& parts) const;

 private:
  std::vector<std::vector<std::string>> patterns_;
};

/// `*` stands for any run of characters; names have no `/`.
bool matches_name(std::string_view pattern, std::string_view name);

/// Keeps hd_cgroups true to the tree below a root: workloads, the parents of possible workloads, and the
/// other children of these. A cgroup that appears is entered by a thread of its own within milliseconds.
class CgroupTree {
 public:
  struct Workload {
    std::uint32_t index = 0;  // in the manifest
    std::string path;         // below the root
    std::uint64_t id = 0;
  };
  using Report = std::function<void(const std::string&)>;
  /// A workload got a cgroup, or its first process, or lost the last.
  using Changed = std::function<void()>;

  /// Enters everything that is there now. `table` outlives the tree; `report` and `changed` are called from its
  /// thread.
  static Result<std::unique_ptr<CgroupTree>> make(const std::string& root,
                                                  const std::vector<std::string>& patterns,
                                                  CgroupTable& table, Report report, Changed changed = {});
  ~CgroupTree();

  [[nodiscard]] std::vector<Workload> workloads() const;
  /// Workload that a process in this folder (absolute) belongs to.
  [[nodiscard]] std::optional<std::uint32_t> workload_of(const std::string& folder) const;
  [[nodiscard]] const std::string& root() const { return root_; }

 private:
  struct Known {
    std::uint64_t id = 0;
    hd_cgroup entry{};
    int events = -1;  // watch of its cgroup.events
  };

  CgroupTree(std::string root, const std::vector<std::string>& patterns, CgroupTable& table, Report report,
             Changed changed);
  Result<void> start();
  void run();
  void read_events();
  void refresh(const std::string& path);
  void appear(const std::string& path);
  void vanish(const std::string& path);
  void list_children(const std::string& path);
  void rescan();
  void forget(const Known& known);
  [[nodiscard]] int watch_events(const std::string& path);
  [[nodiscard]] std::string absolute(const std::string& path) const;
  void warn_if_too_deep(const std::string& path, std::size_t levels) const;

  std::string root_;
  std::size_t root_level_ = 0;  // of the whole tree
  CgroupPatterns patterns_;
  CgroupTable& table_;
  Report report_;
  Changed changed_;
  UniqueFd inotify_;
  UniqueFd stop_;
  mutable std::mutex mutex_;
  std::map<std::string, Known> known_;  // by path below the root; empty is the root
  std::map<int, std::string> watches_;
  std::thread thread_;
};

}  // namespace heddle::loader
