#pragma once

#include <string>
#include <vector>

#include "compiler/plan/automaton.h"

namespace heddle::plan {

/// The automaton that reads a whole request head: the grammar of a canonical head with `paths strict`, and
/// the names (lower case) that some policy tests; name i is number HD_NAME_FIRST + i.
Automaton head_scan(const std::vector<std::string>& names);

}  // namespace heddle::plan
