#include "runtime/agent/policy.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "runtime/loader/fast_figures.h"
#include "runtime/loader/mounts.h"

namespace heddle::agent {

Result<std::unique_ptr<Policy>> Policy::load(loader::Node& node, const bundle::Opened& opened,
                                             loader::CgroupTree::Changed changed) {
  Result<loader::Generation> generation = node.load(opened);
  if (!generation) return generation.error();
  std::unique_ptr<Policy> policy(new Policy(node.state(), std::move(*generation)));
  std::vector<std::string> patterns;
  for (const auto& workload : opened.manifest.workloads) patterns.push_back(workload.cgroup);
  Result<std::unique_ptr<loader::CgroupTree>> tree = loader::CgroupTree::make(
      node.cgroup_root(), patterns, *policy, [](const std::string& text) { spdlog::info("{}", text); },
      std::move(changed));
  if (!tree) return tree.error();
  policy->tree_ = std::move(*tree);

  const std::string own = loader::own_cgroup();
  if (const auto workload = policy->tree_->workload_of(own)) {
    const auto& [name, cgroup, spiffe] = opened.manifest.workloads[*workload];
    return Error{
        ErrorKind::usage,
        "`heddled` runs in `" + own + "`, the cgroup of the workload `" + name +
            "`: it would decide about itself",
        "start it in another cgroup, or give the workload one of its own instead of `" + cgroup + "`"};
  }
  for (const std::string& name : policy->missing()) {
    spdlog::warn("workload has no cgroup yet workload={} pattern={}", name,
                 std::find_if(opened.manifest.workloads.begin(), opened.manifest.workloads.end(),
                              [&](const auto& workload) { return workload.name == name; })
                     ->cgroup);
  }
  return policy;
}

void Policy::erase(std::uint64_t id) {
  generation_.erase_cgroup(id);
  loader::forget_use(state_, id);
}

// Its thread writes through us.
Policy::~Policy() {
  tree_.reset();
}

std::vector<std::string> Policy::missing() const {
  const std::vector<loader::CgroupTree::Workload> found = tree_->workloads();
  std::vector<std::string> names;
  for (std::size_t i = 0; i < manifest().workloads.size(); ++i) {
    const bool there =
        std::any_of(found.begin(), found.end(), [&](const auto& workload) { return workload.index == i; });
    if (!there) names.push_back(manifest().workloads[i].name);
  }
  return names;
}

}  // namespace heddle::agent
