#include "compiler/lower/lower.h"

#include <cstddef>
#include <span>

#include "bpf_templates/include/heddle/abi.h"
#include "compiler/lower/chain.h"
#include "compiler/lower/function.h"

namespace heddle::lower {
namespace {

using Decisions = std::vector<plan::Decision>;

/// Consecutive rules of one service.
struct Slice {
  std::uint32_t service = 0;
  std::span<const plan::Decision> decisions;
};
using Part = std::vector<Slice>;

/// A jump reaches 32,767 instructions, so no function may be larger; a test takes three.
constexpr std::size_t tests_of_a_part = 3000;
static_assert(plan::tests_of_a_rule < tests_of_a_part);

/// The rules of all services cut into functions; the parts of one service follow each other.
std::vector<Part> cut(const std::vector<const Decisions*>& services) {
  std::vector<Part> parts(1);
  std::size_t used = 0;
  for (std::uint32_t service = 0; service < services.size(); ++service) {
    const std::span<const plan::Decision> all(*services[service]);
    std::size_t begin = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
      const std::size_t cost = plan::count_tests(all[i].when) + 1;
      if (used + cost > tests_of_a_part && used > 0) {
        if (i > begin) parts.back().push_back({service, all.subspan(begin, i - begin)});
        parts.emplace_back();
        begin = i;
        used = 0;
      }
      used += cost;
    }
    parts.back().push_back({service, all.subspan(begin)});
  }
  return parts;
}

class EntryLowering {
 public:
  EntryLowering(llvm::Module& module, FunctionMaker& functions, std::string name)
      : module_(module), functions_(functions), name_(std::move(name)) {}

  void lower(const std::vector<const Decisions*>& services) {
    const std::vector<Part> parts = cut(services);
    std::vector<llvm::Function*> lowered;
    for (const Part& part : parts) lowered.push_back(lower_part(part, lowered.size()));
    lower_entry(parts, lowered);
  }

 private:
  llvm::BasicBlock* block(llvm::Function* function, const char* name) {
    return llvm::BasicBlock::Create(module_.getContext(), name, function);
  }

  /// A function of the one shape up to the switch over services; `none` returns HD_NONE.
  struct Frame {
    llvm::Function* function;
    llvm::BasicBlock* none;
    llvm::SwitchInst* services;
  };
  Frame begin(const std::string& name) {
    llvm::Function* function = functions_.make(name);
    llvm::BasicBlock* entry = block(function, "entry");
    llvm::BasicBlock* choose = block(function, "choose");
    llvm::BasicBlock* none = block(function, "none");
    llvm::IRBuilder<> builder(entry);
    builder.CreateCondBr(builder.CreateIsNull(function->getArg(0)), none, choose);
    builder.SetInsertPoint(none);
    builder.CreateRet(builder.getInt32(HD_NONE));
    builder.SetInsertPoint(choose);
    llvm::Value* address =
        builder.CreateConstGEP1_64(builder.getInt8Ty(), function->getArg(0), offsetof(hd_facts, service));
    llvm::Value* service = builder.CreateAlignedLoad(builder.getInt32Ty(), address, llvm::Align(4), true);
    return {function, none, builder.CreateSwitch(service, none)};
  }

  llvm::Function* lower_part(const Part& part, std::size_t number) {
    const Frame frame = begin(name_ + "_" + std::to_string(number));
    llvm::IRBuilder<> builder(module_.getContext());
    for (const Slice& slice : part) {
      llvm::BasicBlock* at = block(frame.function, "service");
      frame.services->addCase(builder.getInt32(slice.service), at);
      builder.SetInsertPoint(at);
      ChainEmitter(builder, frame.function->getArg(0)).emit(slice.decisions);
      builder.CreateBr(frame.none);
    }
    return frame.function;
  }

  /// Calls the parts in turn, from the first that knows the service; a part that does not decide says
  /// HD_NONE.
  void lower_entry(const std::vector<Part>& parts, const std::vector<llvm::Function*>& lowered) {
    const Frame frame = begin(name_);
    llvm::IRBuilder<> builder(module_.getContext());
    // A call between functions with debug information needs a place of its own.
    builder.SetCurrentDebugLocation(
        llvm::DILocation::get(module_.getContext(), 1, 0, frame.function->getSubprogram()));
    std::vector<llvm::BasicBlock*> calls;
    for (std::size_t i = 0; i < parts.size(); ++i) calls.push_back(block(frame.function, "part"));
    std::vector<bool> known;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      builder.SetInsertPoint(calls[i]);
      llvm::Value* rule = builder.CreateCall(lowered[i], {frame.function->getArg(0)});
      llvm::BasicBlock* decided = block(frame.function, "decided");
      llvm::BasicBlock* next = i + 1 < parts.size() ? calls[i + 1] : frame.none;
      builder.CreateCondBr(builder.CreateICmpEQ(rule, builder.getInt32(HD_NONE)), next, decided);
      builder.SetInsertPoint(decided);
      builder.CreateRet(rule);
      for (const Slice& slice : parts[i]) {
        if (slice.service < known.size()) continue;
        known.resize(slice.service + 1, true);
        frame.services->addCase(builder.getInt32(slice.service), calls[i]);
      }
    }
  }

  llvm::Module& module_;
  FunctionMaker& functions_;
  std::string name_;
};

/// Calls the filter that is asked for with its part of the facts.
void lower_filters(llvm::Module& module, FunctionMaker& functions, const std::vector<std::string>& filters) {
  llvm::LLVMContext& context = module.getContext();
  llvm::Function* function = functions.make("hd_filter");
  llvm::Value* facts = function->getArg(0);
  const auto block = [&](const char* name) { return llvm::BasicBlock::Create(context, name, function); };
  llvm::BasicBlock* entry = block("entry");
  llvm::BasicBlock* choose = block("choose");
  llvm::BasicBlock* none = block("none");
  llvm::IRBuilder<> builder(entry);
  builder.SetCurrentDebugLocation(llvm::DILocation::get(context, 1, 0, function->getSubprogram()));
  builder.CreateCondBr(builder.CreateIsNull(facts), none, choose);
  builder.SetInsertPoint(none);
  builder.CreateRet(builder.getInt32(0));
  builder.SetInsertPoint(choose);
  llvm::Value* address = builder.CreateConstGEP1_64(builder.getInt8Ty(), facts, offsetof(hd_facts, service));
  llvm::Value* number = builder.CreateAlignedLoad(builder.getInt32Ty(), address, llvm::Align(4), true);
  llvm::SwitchInst* numbers = builder.CreateSwitch(number, none);
  for (std::uint32_t f = 0; f < filters.size(); ++f) {
    llvm::BasicBlock* at = block("filter");
    numbers->addCase(builder.getInt32(f), at);
    builder.SetInsertPoint(at);
    const llvm::FunctionCallee filter = module.getOrInsertFunction(filters[f], builder.getInt32Ty(), builder.getPtrTy());
    llvm::Value* request = builder.CreateConstGEP1_64(builder.getInt8Ty(), facts, offsetof(hd_facts, request));
    builder.CreateRet(builder.CreateCall(filter, {request}));
  }
}

}  // namespace

std::unique_ptr<llvm::Module> lower_policy(const plan::Plan& plan, const llvm::Function& like,
                                           const std::vector<std::string>& filters) {
  auto module = std::make_unique<llvm::Module>("policy", like.getContext());
  module->setTargetTriple(like.getParent()->getTargetTriple());
  module->setDataLayout(like.getParent()->getDataLayout());
  FunctionMaker functions(*module, like);
  std::vector<const Decisions*> access;
  std::vector<const Decisions*> route;
  for (const plan::ServicePlan& service : plan.services) {
    access.push_back(&service.access.code);
    route.push_back(&service.route.code);
  }
  EntryLowering(*module, functions, "hd_access").lower(access);
  EntryLowering(*module, functions, "hd_route").lower(route);
  // Of a limit one asks whether it applies, by its number in the place of a service's.
  std::vector<const Decisions*> limits;
  for (const Decisions& limit : plan.limits) limits.push_back(&limit);
  EntryLowering(*module, functions, "hd_limited").lower(limits);
  // And of an audit, which rule is counted.
  std::vector<const Decisions*> audits;
  for (const Decisions& audit : plan.audits) audits.push_back(&audit);
  EntryLowering(*module, functions, "hd_audited").lower(audits);
  lower_filters(*module, functions, filters);
  functions.finish();
  return module;
}

}  // namespace heddle::lower
