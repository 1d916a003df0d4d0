#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bpf_templates/include/heddle/abi.h"
#include "compiler/plan/automaton.h"

namespace heddle::plan {

/// The number of tested name `index` (lower case) in the scan.
std::uint32_t name_number(std::string_view name, std::size_t index);

/// The automaton that reads a whole request head: the grammar of a canonical head with `paths strict`, the
/// names that some policy tests, and those that keep a request from the fast path.
struct HeadScan {
  Automaton automaton;
  hd_scan states;  // as numbers of the automaton's states
};

HeadScan head_scan(const std::vector<std::string>& names);

}  // namespace heddle::plan
