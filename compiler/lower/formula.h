#pragma once

#include <llvm/IR/IRBuilder.h>

#include "compiler/plan/plan.h"

namespace heddle::lower {

/// A block of the function that is being built; nothing leads to it yet.
llvm::BasicBlock* new_block(const llvm::IRBuilder<>& builder, const char* name);

/// Emits one formula as branches: to `yes` if it holds, else to `no`. Every bit is loaded anew, right where
/// it is tested: a field kept in a register becomes precise for the verifier, and a chain of rules then
/// explodes.
class FormulaEmitter {
 public:
  FormulaEmitter(llvm::IRBuilder<>& builder, llvm::Value* facts) : builder_(builder), facts_(facts) {}

  void emit(const plan::Formula& formula, llvm::BasicBlock* yes, llvm::BasicBlock* no);

 private:
  void emit_always(llvm::BasicBlock* yes);
  void emit_bit(std::size_t offset, std::uint32_t bit, llvm::BasicBlock* yes, llvm::BasicBlock* no);
  void emit_all(const plan::Formula& formula, llvm::BasicBlock* yes, llvm::BasicBlock* no);
  void emit_any(const plan::Formula& formula, llvm::BasicBlock* yes, llvm::BasicBlock* no);

  llvm::IRBuilder<>& builder_;
  llvm::Value* facts_;
};

}  // namespace heddle::lower
