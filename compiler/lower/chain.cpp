#include "compiler/lower/chain.h"

#include <algorithm>
#include <cstddef>

#include "bpf_templates/include/heddle/abi.h"
#include "compiler/lower/formula.h"

namespace heddle::lower {
namespace {

// A look at one word is five instructions, one rule at least four: with fewer rules for a word a function could become longer
// than a jump reaches, and little would be gained.
constexpr std::size_t rules_of_a_word = 8;

std::optional<NeededAtoms> needed_by_all(const plan::Formula& formula) {
  std::optional<NeededAtoms> best;
  for (const plan::Formula& child : formula.children) {
    std::optional<NeededAtoms> needed = needed_atoms(child);
    if (needed && (!best || needed->size() < best->size())) best = std::move(needed);
  }
  return best;
}

const plan::Formula& formula_of(const plan::Formula& formula) {
  return formula;
}
const plan::Formula& formula_of(const plan::Decision& decision) {
  return decision.when;
}

/// What is needed if any of them is to hold: the children of an `any`, or a run of decisions.
template <typename T>
std::optional<NeededAtoms> needed_by_any(std::span<const T> several) {
  NeededAtoms needed;
  for (const T& each : several) {
    const std::optional<NeededAtoms> more = needed_atoms(formula_of(each));
    if (!more) return std::nullopt;
    for (const auto& [word, bits] : *more) needed[word] |= bits;
  }
  return needed;
}

}  // namespace

std::optional<NeededAtoms> needed_atoms(const plan::Formula& formula) {
  using Kind = plan::Formula::Kind;
  switch (formula.kind) {
    case Kind::atom:
    case Kind::line_atom:
      return NeededAtoms{{formula.bit / 64, std::uint64_t{1} << (formula.bit % 64)}};
    case Kind::all:
      return needed_by_all(formula);
    case Kind::any:
      return needed_by_any<plan::Formula>(formula.children);
    case Kind::always:
    case Kind::identity:
    case Kind::has_peer:
    case Kind::filter:
    case Kind::negation:
      return std::nullopt;
  }
  return std::nullopt;
}

void ChainEmitter::emit(std::span<const plan::Decision> decisions) {
  while (!decisions.empty()) {
    const auto end = std::find_if(decisions.begin(), decisions.end(),
                                  [](const plan::Decision& decision) { return !needed_atoms(decision.when); });
    const auto run = static_cast<std::size_t>(end - decisions.begin());
    emit_run(decisions.first(run));
    if (end != decisions.end()) emit_one(*end);
    decisions = decisions.subspan(std::min(run + 1, decisions.size()));
  }
}

void ChainEmitter::emit_run(std::span<const plan::Decision> decisions) {
  const std::optional<NeededAtoms> needed = needed_by_any(decisions);
  if (!needed || needed->empty() || decisions.size() < rules_of_a_word * needed->size()) {
    for (const plan::Decision& decision : decisions) emit_one(decision);
    return;
  }
  llvm::Value* some = builder_.getInt64(0);
  for (const auto& [word, bits] : *needed) {
    llvm::Value* address =
        builder_.CreateConstGEP1_64(builder_.getInt8Ty(), facts_, offsetof(hd_facts, atoms) + std::size_t{word} * 8);
    llvm::Value* atoms = builder_.CreateAlignedLoad(builder_.getInt64Ty(), address, llvm::Align(8), /*isVolatile=*/true);
    some = builder_.CreateOr(some, builder_.CreateAnd(atoms, builder_.getInt64(bits)));
  }
  llvm::BasicBlock* look = new_block(builder_, "look");
  llvm::BasicBlock* behind = new_block(builder_, "behind");
  builder_.CreateCondBr(builder_.CreateICmpNE(some, builder_.getInt64(0)), look, behind);
  builder_.SetInsertPoint(look);
  const std::size_t half = decisions.size() / 2;
  emit_run(decisions.first(half));
  emit_run(decisions.subspan(half));
  builder_.CreateBr(behind);
  builder_.SetInsertPoint(behind);
}

void ChainEmitter::emit_one(const plan::Decision& decision) {
  llvm::BasicBlock* yes = new_block(builder_, "rule");
  llvm::BasicBlock* no = new_block(builder_, "next");
  FormulaEmitter(builder_, facts_).emit(decision.when, yes, no);
  builder_.SetInsertPoint(yes);
  builder_.CreateRet(builder_.getInt32(decision.rule));
  builder_.SetInsertPoint(no);
}

}  // namespace heddle::lower
