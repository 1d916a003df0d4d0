#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "bpf_templates/include/heddle/abi.h"
#include "compiler/model/policy.h"
#include "compiler/plan/automaton.h"

namespace heddle::plan {

/// A header (in lower case), query parameter or cookie that some policy tests.
struct TestedName {
  model::Attribute attribute = model::Attribute::header;
  std::string name;
  auto operator<=>(const TestedName&) const = default;
};

/// The number of a tested name in the scan; `index` is its place among all.
std::uint32_t name_number(const TestedName& name, std::size_t index);

/// The automaton that reads a whole request head: the grammar of a canonical head, with the paths of every mode that
/// some service has, the names that some policy tests, and those that keep a request from the fast path.
struct HeadScan {
  Automaton automaton;
  std::map<model::Paths, hd_scan> states;  // as numbers of the automaton's states
};

HeadScan head_scan(const std::vector<TestedName>& names, const std::set<model::Paths>& modes);

}  // namespace heddle::plan
