#include "compiler/emit/filter_check.h"

#include <llvm/Analysis/AssumptionCache.h>
#include <llvm/Analysis/LoopInfo.h>
#include <llvm/Analysis/ScalarEvolution.h>
#include <llvm/Analysis/TargetLibraryInfo.h>
#include <llvm/IR/Constants.h>
#include <llvm/IR/DebugInfoMetadata.h>
#include <llvm/IR/Dominators.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/Instructions.h>
#include <llvm/IR/IntrinsicInst.h>

#include <functional>
#include <map>
#include <optional>
#include <set>

namespace heddle::emit {
namespace {

using Kind = FilterProblem::Kind;

// By their numbers in the kernel.
const std::map<std::uint64_t, const char*> allowed_helpers = {{1, "bpf_map_lookup_elem"},
                                                              {2, "bpf_map_update_elem"},
                                                              {3, "bpf_map_delete_elem"},
                                                              {5, "bpf_ktime_get_ns"},
                                                              {7, "bpf_get_prandom_u32"}};
constexpr std::size_t most_instructions = 4096;
constexpr unsigned most_turns = 1U << 16;     // of a loop; what the verifier follows is less
constexpr std::uint64_t most_copied = 1024;  // at once; the code generator calls a function for more

std::string helpers_text() {
  std::string text;
  for (const auto& [number, name] : allowed_helpers) text += (text.empty() ? "`" : ", `") + std::string(name) + "`";
  return text;
}

class Checker {
 public:
  Checker(llvm::Function& filter, std::vector<FilterProblem>& problems) : filter_(filter), problems_(problems) {}

  void check() {
    if (filter_.getInstructionCount() > most_instructions) {
      problems_.push_back({Kind::forbidden,
                           "has " + std::to_string(filter_.getInstructionCount()) + " instructions, and at most " +
                               std::to_string(most_instructions) + " are taken",
                           "loops are written out where the compiler finds that faster: `#pragma clang loop unroll(disable)`", 0, 0});
      return;
    }
    for (llvm::Instruction& instruction : llvm::instructions(filter_)) look_at(instruction);
    check_request();
    check_loops();
  }

 private:
  void refuse(Kind kind, const llvm::Instruction* where, std::string what, std::string help = "") {
    FilterProblem problem{kind, std::move(what), std::move(help)};
    if (const llvm::DILocation* place = where == nullptr ? nullptr : where->getDebugLoc().get()) {
      // Where it stands in the filter itself, if a function of the header does it.
      while (place->getInlinedAt() != nullptr && place->getFilename() != filter_.getSubprogram()->getFilename())
        place = place->getInlinedAt();
      problem.line = place->getLine();
      problem.column = place->getColumn();
    }
    if (said_.insert({problem.line, static_cast<int>(kind)}).second) problems_.push_back(std::move(problem));
  }
  void forbid(const llvm::Instruction& where, std::string what, std::string help = "") {
    refuse(Kind::forbidden, &where, std::move(what), std::move(help));
  }

  void look_at(llvm::Instruction& instruction) {
    if (has_bad_type(instruction)) return;
    if (auto* call = llvm::dyn_cast<llvm::CallBase>(&instruction)) return look_at_call(*call);
    if (auto* room = llvm::dyn_cast<llvm::AllocaInst>(&instruction); room != nullptr && !room->isStaticAlloca())
      return forbid(instruction, "has an array whose size is known only when it runs", "give the array a constant size");
    switch (instruction.getOpcode()) {
      case llvm::Instruction::SDiv:
      case llvm::Instruction::SRem:
        return forbid(instruction, "divides signed numbers, which this processor cannot", "divide unsigned ones: `__u32`, `__u64`");
      case llvm::Instruction::IndirectBr:
      case llvm::Instruction::CallBr:
      case llvm::Instruction::Fence:
        return forbid(instruction, "uses what a BPF program cannot: " + std::string(instruction.getOpcodeName()));
      case llvm::Instruction::AtomicRMW:
        return look_at_atomic(llvm::cast<llvm::AtomicRMWInst>(instruction));
      default:
        return;
    }
  }

  bool has_bad_type(llvm::Instruction& instruction) {
    const auto is_bad = [](const llvm::Type* type) {
      return type->isFPOrFPVectorTy() || type->isVectorTy() || (type->isIntegerTy() && type->getIntegerBitWidth() > 64);
    };
    bool bad = is_bad(instruction.getType());
    for (const llvm::Use& operand : instruction.operands()) bad = bad || is_bad(operand->getType());
    if (bad) forbid(instruction, "computes with numbers that this processor does not have", "use integers of at most 64 bits");
    return bad;
  }

  void look_at_atomic(llvm::AtomicRMWInst& atomic) {
    using Op = llvm::AtomicRMWInst;
    const std::set<Op::BinOp> known = {Op::Add, Op::And, Op::Or, Op::Xor, Op::Xchg, Op::Sub};
    const std::uint64_t bits = atomic.getType()->getPrimitiveSizeInBits().getFixedValue();
    if (known.contains(atomic.getOperation()) && (bits == 32 || bits == 64)) return;
    forbid(atomic, "does atomically what this processor cannot", "`__sync_fetch_and_add` of 32 or 64 bits is one that it can");
  }

  void look_at_call(llvm::CallBase& call) {
    if (call.isInlineAsm()) return forbid(call, "has inline assembly", "write it in C");
    if (auto* intrinsic = llvm::dyn_cast<llvm::IntrinsicInst>(&call)) return look_at_intrinsic(*intrinsic);
    if (const llvm::Function* function = call.getCalledFunction()) {
      const bool own = !function->isDeclaration();
      const std::string name = own && function->getSubprogram() != nullptr ? function->getSubprogram()->getName().str()
                                                                           : function->getName().str();
      if (own) return forbid(call, "calls `" + name + "`, which calls itself", "a filter ends: write it without recursion");
      return forbid(call, "calls `" + name + "`, which is not there", "a filter may call " + helpers_text());
    }
    const std::optional<std::uint64_t> number = helper_number(*call.getCalledOperand());
    if (!number) return forbid(call, "calls a function by its address", "a filter may call " + helpers_text());
    if (!allowed_helpers.contains(*number))
      forbid(call, "calls helper number " + std::to_string(*number) + " of the kernel", "a filter may call " + helpers_text());
  }

  static std::optional<std::uint64_t> helper_number(const llvm::Value& callee) {
    const auto* expression = llvm::dyn_cast<llvm::ConstantExpr>(&callee);
    if (expression == nullptr || expression->getOpcode() != llvm::Instruction::IntToPtr) return std::nullopt;
    const auto* number = llvm::dyn_cast<llvm::ConstantInt>(expression->getOperand(0));
    return number == nullptr ? std::nullopt : std::optional(number->getZExtValue());
  }

  void look_at_intrinsic(llvm::IntrinsicInst& call) {
    if (llvm::isa<llvm::DbgInfoIntrinsic>(call)) return;
    if (auto* copy = llvm::dyn_cast<llvm::MemIntrinsic>(&call)) {
      const auto* size = llvm::dyn_cast<llvm::ConstantInt>(copy->getLength());
      if (size != nullptr && size->getZExtValue() <= most_copied) return;
      return forbid(call, "copies or fills bytes of which the number is not known, or more than 1024",
                    "copy a constant number of bytes, or one by one in a loop with a bound");
    }
    static const std::set<llvm::Intrinsic::ID> known = {
        llvm::Intrinsic::lifetime_start, llvm::Intrinsic::lifetime_end, llvm::Intrinsic::assume, llvm::Intrinsic::bswap,
        llvm::Intrinsic::umin,           llvm::Intrinsic::umax,         llvm::Intrinsic::smin,   llvm::Intrinsic::smax,
        llvm::Intrinsic::abs,            llvm::Intrinsic::fshl,         llvm::Intrinsic::fshr,   llvm::Intrinsic::usub_sat,
        llvm::Intrinsic::uadd_sat,       llvm::Intrinsic::ctpop,        llvm::Intrinsic::expect, llvm::Intrinsic::ctlz,
        llvm::Intrinsic::cttz,           llvm::Intrinsic::bitreverse,   llvm::Intrinsic::experimental_noalias_scope_decl};
    if (known.contains(call.getIntrinsicID())) return;
    forbid(call, "uses `" + call.getCalledFunction()->getName().str() + "`, which a filter cannot");
  }

  /// Whatever is computed from the pointer to the request is only read through.
  void check_request() {
    std::vector<llvm::Value*> derived = {filter_.getArg(0)};
    std::set<llvm::Value*> seen(derived.begin(), derived.end());
    while (!derived.empty()) {
      llvm::Value* pointer = derived.back();
      derived.pop_back();
      for (llvm::Use& use : pointer->uses()) {
        auto* user = llvm::cast<llvm::Instruction>(use.getUser());
        if (llvm::isa<llvm::GetElementPtrInst, llvm::PHINode, llvm::SelectInst, llvm::CastInst>(user) &&
            !llvm::isa<llvm::PtrToIntInst>(user)) {
          if (seen.insert(user).second) derived.push_back(user);
        } else if (is_helper_call(*user)) {
          forbid(*user, "hands its request to a helper of the kernel, which not every kernel allows", "copy what the helper needs into a variable");
        } else if (!only_reads(*user, use)) {
          forbid(*user, "does more with its request than read it", "the request is not the filter's: keep what it needs in maps of its own");
        }
      }
    }
  }

  static bool is_helper_call(const llvm::Instruction& user) {
    const auto* call = llvm::dyn_cast<llvm::CallBase>(&user);
    return call != nullptr && helper_number(*call->getCalledOperand()).has_value();
  }

  static bool only_reads(llvm::Instruction& user, const llvm::Use& use) {
    if (llvm::isa<llvm::LoadInst, llvm::ICmpInst>(user)) return true;
    auto* call = llvm::dyn_cast<llvm::CallBase>(&user);
    if (call == nullptr) return false;
    if (auto* copy = llvm::dyn_cast<llvm::MemTransferInst>(call)) return &use == &copy->getRawSourceUse();
    return llvm::isa<llvm::DbgInfoIntrinsic>(call) || call->getIntrinsicID() == llvm::Intrinsic::assume;
  }

  void check_loops() {
    llvm::DominatorTree dominators(filter_);
    llvm::LoopInfo loops(dominators);
    llvm::AssumptionCache assumptions(filter_);
    llvm::TargetLibraryInfoImpl library(llvm::Triple(filter_.getParent()->getTargetTriple()));
    llvm::TargetLibraryInfo info(library);
    llvm::ScalarEvolution evolution(filter_, info, assumptions, dominators, loops);
    for (const llvm::Loop* loop : loops.getLoopsInPreorder()) {
      const unsigned most = evolution.getSmallConstantMaxTripCount(loop);
      if (most != 0 && most <= most_turns) continue;
      const llvm::Instruction* where = loop->getHeader()->getTerminator();
      for (const llvm::BasicBlock* block : loop->blocks()) {
        for (const llvm::Instruction& instruction : *block) {
          if (instruction.getDebugLoc() && (!where->getDebugLoc() || instruction.getDebugLoc().getLine() < where->getDebugLoc().getLine()))
            where = &instruction;
        }
      }
      refuse(Kind::loop, where, "loops, and nothing says how often at most", "compare the counter with a constant: `i < 64`");
    }
    // A loop that can be entered in two places is none that could be counted.
    if (has_irreducible_loop(loops)) refuse(Kind::loop, nullptr, "jumps into a loop", "write `for` or `while` in place of `goto`");
  }

  bool has_irreducible_loop(const llvm::LoopInfo& loops) const {
    std::map<const llvm::BasicBlock*, int> order;  // 1: on the way, 2: done
    bool found = false;
    const std::function<void(const llvm::BasicBlock*)> visit = [&](const llvm::BasicBlock* block) {
      order[block] = 1;
      for (const llvm::BasicBlock* next : llvm::successors(block)) {
        if (order[next] == 0) visit(next);
        else if (order[next] == 1 && !(loops.isLoopHeader(next) && loops.getLoopFor(next)->contains(block))) found = true;
      }
      order[block] = 2;
    };
    visit(&filter_.getEntryBlock());
    return found;
  }

  llvm::Function& filter_;
  std::vector<FilterProblem>& problems_;
  std::set<std::pair<std::uint32_t, int>> said_;  // one of a kind for each line
};

}  // namespace

void check_filter_code(llvm::Function& filter, std::vector<FilterProblem>& problems) {
  Checker(filter, problems).check();
}

}  // namespace heddle::emit
