#include "compiler/lower/formula.h"

#include <cstddef>

#include "bpf_templates/include/heddle/abi.h"

namespace heddle::lower {

llvm::BasicBlock* new_block(const llvm::IRBuilder<>& builder, const char* name) {
  return llvm::BasicBlock::Create(builder.getContext(), name, builder.GetInsertBlock()->getParent());
}

void FormulaEmitter::emit(const plan::Formula& formula, llvm::BasicBlock* yes, llvm::BasicBlock* no) {
  using Kind = plan::Formula::Kind;
  switch (formula.kind) {
    case Kind::always:
      return emit_always(yes);
    case Kind::atom:
    case Kind::line_atom:
      return emit_bit(offsetof(hd_facts, atoms), formula.bit, yes, no);
    case Kind::identity:
      return emit_bit(offsetof(hd_facts, identities), formula.bit, yes, no);
    case Kind::has_peer:
      return emit_bit(offsetof(hd_facts, has_peer), 0, yes, no);
    case Kind::filter:
      return emit_bit(offsetof(hd_facts, filters), formula.bit, yes, no);
    case Kind::negation:
      return emit(formula.children.front(), no, yes);
    case Kind::all:
      return emit_all(formula, yes, no);
    case Kind::any:
      return emit_any(formula, yes, no);
  }
}

void FormulaEmitter::emit_always(llvm::BasicBlock* yes) {
  builder_.CreateBr(yes);
}

/// Bit i of little-endian words is bit i % 8 of byte i / 8, and a byte's mask fits into one instruction.
void FormulaEmitter::emit_bit(std::size_t offset, std::uint32_t bit, llvm::BasicBlock* yes,
                              llvm::BasicBlock* no) {
  llvm::Value* address = builder_.CreateConstGEP1_64(builder_.getInt8Ty(), facts_, offset + bit / 8);
  llvm::Value* byte =
      builder_.CreateAlignedLoad(builder_.getInt8Ty(), address, llvm::Align(1), /*isVolatile=*/true);
  llvm::Value* masked =
      builder_.CreateAnd(byte, builder_.getInt8(static_cast<std::uint8_t>(1U << (bit % 8))));
  builder_.CreateCondBr(builder_.CreateICmpNE(masked, builder_.getInt8(0)), yes, no);
}

void FormulaEmitter::emit_all(const plan::Formula& formula, llvm::BasicBlock* yes, llvm::BasicBlock* no) {
  for (std::size_t i = 0; i + 1 < formula.children.size(); ++i) {
    llvm::BasicBlock* next = new_block(builder_, "and");
    emit(formula.children[i], next, no);
    builder_.SetInsertPoint(next);
  }
  emit(formula.children.back(), yes, no);
}

void FormulaEmitter::emit_any(const plan::Formula& formula, llvm::BasicBlock* yes, llvm::BasicBlock* no) {
  for (std::size_t i = 0; i + 1 < formula.children.size(); ++i) {
    llvm::BasicBlock* next = new_block(builder_, "or");
    emit(formula.children[i], yes, next);
    builder_.SetInsertPoint(next);
  }
  emit(formula.children.back(), yes, no);
}

}  // namespace heddle::lower
