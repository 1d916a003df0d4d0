#pragma once

#include <cstddef>
#include <string>

namespace heddle::agent {

/// Where `heddled` listens unless told otherwise.
constexpr const char* default_control = "/run/heddle/control.sock";

struct Options {
  std::string bundle;
  std::string control = default_control;
  std::string cgroup_root;  // empty: the mount of cgroup v2
  std::string zone;         // of this machine: what `prefer` compares; empty: it prefers nobody
  std::string node;
  std::string identities;   // folder of certificates; empty: this node has none
  std::size_t workers = 0;  // 0: one for each CPU, at least 2
  std::string log_level = "info";
  bool detach_at_end = false;  // SIGINT and SIGTERM, and the end of the parent, remove everything
};

}  // namespace heddle::agent
