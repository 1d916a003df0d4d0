#pragma once

#include <llvm/IR/IRBuilder.h>

#include <cstdint>
#include <map>
#include <optional>
#include <span>

#include "compiler/plan/plan.h"

namespace heddle::lower {

/// Of each 64-bit word of hd_facts.atoms the bits of which at least one is set if the formula holds. None: it can hold
/// without any.
using NeededAtoms = std::map<std::uint32_t, std::uint64_t>;
std::optional<NeededAtoms> needed_atoms(const plan::Formula& formula);

/// Emits decisions in their order: the first that holds returns its rule. Where a run of them needs some atom to be set, a
/// few words are looked at first, and the run is skipped if none is; so what a request pays grows with the logarithm of the
/// number of rules that have nothing to do with it.
class ChainEmitter {
 public:
  ChainEmitter(llvm::IRBuilder<>& builder, llvm::Value* facts) : builder_(builder), facts_(facts) {}

  /// Goes on behind them if none holds.
  void emit(std::span<const plan::Decision> decisions);

 private:
  void emit_one(const plan::Decision& decision);
  void emit_run(std::span<const plan::Decision> decisions);

  llvm::IRBuilder<>& builder_;
  llvm::Value* facts_;
};

}  // namespace heddle::lower
