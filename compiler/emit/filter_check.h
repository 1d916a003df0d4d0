#pragma once

#include <llvm/IR/Module.h>

#include <vector>

#include "compiler/emit/filter.h"

namespace heddle::emit {

/// The maps that the module declares, and what is wrong with them and with its other variables.
std::vector<FilterMap> read_filter_maps(const llvm::Module& module, std::vector<FilterProblem>& problems);

/// What `filter` does that no filter may: everything is inlined into it by now.
void check_filter_code(llvm::Function& filter, std::vector<FilterProblem>& problems);

}  // namespace heddle::emit
