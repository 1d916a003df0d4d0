#pragma once

#include <memory>
#include <string>
#include <vector>

#include "runtime/base/result.h"
#include "runtime/bundle/manifest.h"
#include "runtime/loader/cgroup_tree.h"
#include "runtime/loader/generation.h"
#include "runtime/loader/node.h"

namespace heddle::agent {

/// A generation together with the tree of cgroups that it knows: everything of a policy that is in the
/// kernel.
class Policy final : private loader::CgroupTable {
 public:
  /// Loads and fills; decides nothing yet. Says which workloads have no cgroup now.
  /// `changed` is called from another thread when workloads may have got processes or lost them.
  static Result<std::unique_ptr<Policy>> load(loader::Node& node, const bundle::Opened& opened,
                                              loader::CgroupTree::Changed changed);
  ~Policy() override;

  [[nodiscard]] const loader::Generation& generation() const { return generation_; }
  [[nodiscard]] const bundle::Manifest& manifest() const { return generation_.manifest(); }
  [[nodiscard]] const loader::CgroupTree& tree() const { return *tree_; }
  /// Workloads without any cgroup now, by name.
  [[nodiscard]] std::vector<std::string> missing() const;

 private:
  Policy(const loader::State& state, loader::Generation generation)
      : state_(state), generation_(std::move(generation)) {}
  Result<void> set(std::uint64_t id, hd_cgroup entry) override { return generation_.set_cgroup(id, entry); }
  void erase(std::uint64_t id) override;

  const loader::State& state_;
  loader::Generation generation_;
  std::unique_ptr<loader::CgroupTree> tree_;  // ends before what it writes to
};

}  // namespace heddle::agent
