#pragma once

#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Module.h>

#include <memory>
#include <vector>

#include "compiler/emit/filter.h"

namespace heddle::emit {

/// The C of a filter as a module, nothing of it optimised yet; null where Clang has errors. What it says is among the problems.
std::unique_ptr<llvm::Module> parse_filter(const FilterSource& source, llvm::LLVMContext& context,
                                           std::vector<FilterProblem>& problems);

}  // namespace heddle::emit
