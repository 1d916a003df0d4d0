#pragma once

#include <cstdint>
#include <string>

#include "bpf_templates/include/heddle/abi.h"
#include "runtime/base/result.h"

namespace heddle::loader {

struct SelfTest {
  hd_fast_path landing = HD_FAST_OFF;  // how the programs know what has landed; off: the fast path does not work here
  std::uint32_t own_references = 0;    // by references: see hd_config
  std::string reason;                  // why it does not; by references: why not by trace, if tracing loads
};

/// Tries the fast path on the running kernel, with programs, maps and sockets of its own, in a child process and a
/// cgroup below the root that both are gone afterwards. What a kernel does differently from what the programs rely on
/// shows here, before a request of anybody goes that way.
SelfTest test_fast_path(const std::string& cgroup_root);

}  // namespace heddle::loader
