#pragma once

#include <llvm/IR/DIBuilder.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Module.h>

#include <string>

namespace heddle::lower {

/// Makes functions of the one shape that the verifier checks by itself, whoever calls them: global, from a
/// pointer to hd_facts to a rule number. Each needs debug information, because its BTF tells the verifier how
/// large hd_facts is, and libbpf refuses functions without.
class FunctionMaker {
 public:
  FunctionMaker(llvm::Module& module, const llvm::Function& like);

  llvm::Function* make(const std::string& name);
  void finish() { debug_.finalize(); }

 private:
  llvm::DISubroutineType* make_type();

  llvm::Module& module_;
  const llvm::Function& like_;
  llvm::DIBuilder debug_;
  llvm::DIFile* file_;
  llvm::DICompileUnit* unit_;
  llvm::DISubroutineType* type_;
};

}  // namespace heddle::lower
