#pragma once

#include <string>
#include <vector>

#include "compiler/emit/filter.h"
#include "compiler/plan/plan.h"

namespace heddle::emit {

/// What comes out of LLVM.
enum class Product {
  ir,        // the policy's own module, as text
  llvm,      // linked with the template, as text
  assembly,  // BPF assembly
  object     // ELF with BTF
};

struct Generated {
  bool ok = false;
  std::string bytes;  // of the product
  std::string error;  // what went wrong: always a bug of ours
};

/// Lowers a plan and links it with the template and the policy's filters, in the order of their numbers. Runs in a child process, because LLVM ends the process where
/// it cannot go on (a branch out of range); the caller survives and can say what happened. Starts no program
/// and reads no file.
Generated generate(const plan::Plan& plan, Product product, const std::vector<Filter>& filters = {});

}  // namespace heddle::emit
