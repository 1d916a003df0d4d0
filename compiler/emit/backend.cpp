#include "compiler/emit/backend.h"

#include <llvm/IR/LegacyPassManager.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/Support/raw_ostream.h>

namespace heddle::emit {

bool Backend::prepare(const llvm::Module& module, std::string& error) {
  LLVMInitializeBPFTargetInfo();
  LLVMInitializeBPFTarget();
  LLVMInitializeBPFTargetMC();
  LLVMInitializeBPFAsmPrinter();
  LLVMInitializeBPFAsmParser();  // templates have inline assembly
  const llvm::Target* target = llvm::TargetRegistry::lookupTarget(module.getTargetTriple(), error);
  if (target == nullptr) return false;
  machine_.reset(target->createTargetMachine(module.getTargetTriple(), "v3", "", {}, std::nullopt, std::nullopt,
                                             llvm::CodeGenOptLevel::Default));
  return true;
}

ChildResult Backend::write(llvm::Module& module, llvm::CodeGenFileType type) {
  llvm::SmallVector<char, 0> bytes;
  llvm::raw_svector_ostream out(bytes);
  llvm::legacy::PassManager passes;
  if (machine_->addPassesToEmitFile(passes, out, nullptr, type)) return {false, "no code generator for this product"};
  passes.run(module);
  return {true, std::string(bytes.data(), bytes.size())};
}

}  // namespace heddle::emit
