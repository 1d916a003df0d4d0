#pragma once

#include <llvm/IR/Module.h>

#include <memory>
#include <string>
#include <vector>

#include "compiler/plan/plan.h"

namespace heddle::lower {

/// The policy's own code as an LLVM module: `hd_access`, `hd_route`, `hd_limited`, `hd_audited` and `hd_filter` of
/// bpf_templates/lib/work.h, and the parts that they call. `filters` are the functions of the policy's filters, by number. `like` is a function of the template, whose target attributes the new ones copy:
/// without them LLVM does not treat the two as one program.
std::unique_ptr<llvm::Module> lower_policy(const plan::Plan& plan, const llvm::Function& like,
                                           const std::vector<std::string>& filters = {});

}  // namespace heddle::lower
