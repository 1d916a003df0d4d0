#pragma once

#include <llvm/IR/Module.h>
#include <llvm/Target/TargetMachine.h>

#include <memory>
#include <string>

#include "compiler/emit/child.h"

namespace heddle::emit {

/// LLVM's code generator for BPF.
class Backend {
 public:
  bool prepare(const llvm::Module& module, std::string& error);
  [[nodiscard]] llvm::TargetMachine& machine() { return *machine_; }
  ChildResult write(llvm::Module& module, llvm::CodeGenFileType type);

 private:
  std::unique_ptr<llvm::TargetMachine> machine_;
};

}  // namespace heddle::emit
