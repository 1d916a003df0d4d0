#include "compiler/emit/filter.h"

#include <llvm/Analysis/CGSCCPassManager.h>
#include <llvm/Analysis/LoopAnalysisManager.h>
#include <llvm/BinaryFormat/Dwarf.h>
#include <llvm/Bitcode/BitcodeWriter.h>
#include <llvm/CodeGen/ExpandMemCmp.h>
#include <llvm/IR/DebugInfoMetadata.h>
#include <llvm/IR/DiagnosticInfo.h>
#include <llvm/IR/DiagnosticPrinter.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Verifier.h>
#include <llvm/Passes/PassBuilder.h>
#include <llvm/Support/CommandLine.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/Transforms/IPO/GlobalDCE.h>
#include <llvm/Transforms/InstCombine/InstCombine.h>
#include <llvm/Transforms/Scalar/EarlyCSE.h>
#include <llvm/Transforms/Scalar/SimplifyCFG.h>
#include <llvm/Transforms/Utils/Cloning.h>
#include <sys/resource.h>

#include <array>
#include <nlohmann/json.hpp>

#include "compiler/emit/backend.h"
#include "compiler/emit/child.h"
#include "compiler/emit/filter_check.h"
#include "compiler/emit/filter_module.h"

namespace heddle::emit {
namespace {

using Json = nlohmann::json;
using Kind = FilterProblem::Kind;

constexpr const char* function_name = "filter";
constexpr const char* signature = "int filter(const struct heddle_request* request)";
constexpr rlim_t most_seconds = 10;
constexpr rlim_t most_memory = rlim_t{2} << 30;
// What the verifier has left for a filter, below everything that leads to it.
constexpr const char* stack_option = "-bpf-stack-size=128";

bool has_errors(const std::vector<FilterProblem>& problems) {
  for (const FilterProblem& problem : problems) {
    if (!problem.is_warning) return true;
  }
  return false;
}

const llvm::DIType* plain(const llvm::DIType* type) {
  while (const auto* derived = llvm::dyn_cast_or_null<llvm::DIDerivedType>(type)) {
    if (derived->getTag() != llvm::dwarf::DW_TAG_typedef) break;
    type = derived->getBaseType();
  }
  return type;
}

bool is_request_pointer(const llvm::DIType* type) {
  const auto* pointer = llvm::dyn_cast_or_null<llvm::DIDerivedType>(plain(type));
  if (pointer == nullptr || pointer->getTag() != llvm::dwarf::DW_TAG_pointer_type) return false;
  const auto* constant = llvm::dyn_cast_or_null<llvm::DIDerivedType>(plain(pointer->getBaseType()));
  if (constant == nullptr || constant->getTag() != llvm::dwarf::DW_TAG_const_type) return false;
  const llvm::DIType* request = plain(constant->getBaseType());
  return request != nullptr && request->getName() == "heddle_request";
}

bool is_int(const llvm::DIType* type) {
  const auto* basic = llvm::dyn_cast_or_null<llvm::DIBasicType>(plain(type));
  return basic != nullptr && basic->getSizeInBits() == 32 && basic->getEncoding() == llvm::dwarf::DW_ATE_signed;
}

bool has_signature(const llvm::Function& function) {
  if (function.isVarArg() || function.arg_size() != 1 || function.getSubprogram() == nullptr) return false;
  const llvm::DITypeRefArray types = function.getSubprogram()->getType()->getTypeArray();
  return types.size() == 2 && is_int(types[0]) && is_request_pointer(types[1]);
}

class Compilation {
 public:
  Compilation(const FilterSource& source, std::uint32_t number) : source_(source), number_(number) {}

  CompiledFilter run() {
    context_.setDiagnosticHandlerCallBack(note, this);
    module_ = parse_filter(source_, context_, result_.problems);
    if (module_ == nullptr && !has_errors(result_.problems)) add(Kind::language, "the C compiler gave up");
    if (has_errors(result_.problems) || !find_function()) return std::move(result_);
    prepare();
    optimise();
    result_.filter.maps = read_filter_maps(*module_, result_.problems);
    check_filter_code(*function_, result_.problems);
    if (has_errors(result_.problems)) return std::move(result_);
    name();
    try_to_generate();
    if (has_errors(result_.problems)) return std::move(result_);
    llvm::raw_string_ostream out(result_.filter.bitcode);
    llvm::WriteBitcodeToFile(*module_, out);
    return std::move(result_);
  }

 private:
  static void note(const llvm::DiagnosticInfo* info, void* self) {
    if (info->getSeverity() != llvm::DS_Error) return;
    auto& said = static_cast<Compilation*>(self)->said_;
    if (!said.empty()) return;
    llvm::raw_string_ostream out(said);
    llvm::DiagnosticPrinterRawOStream printer(out);
    info->print(printer);
  }

  void add(Kind kind, std::string what, std::string help = "", std::uint32_t line = 0) {
    result_.problems.push_back({kind, std::move(what), std::move(help), line, 0});
  }

  bool find_function() {
    function_ = module_->getFunction(function_name);
    const bool there = function_ != nullptr && !function_->isDeclaration() && function_->hasExternalLinkage();
    if (!there) {
      add(Kind::shape, "has no function `filter`", std::string("write `") + signature + "`");
      return false;
    }
    if (has_signature(*function_)) return true;
    const llvm::DISubprogram* debug = function_->getSubprogram();
    add(Kind::shape, "has a function `filter` of another kind", std::string("write `") + signature + "`",
        debug == nullptr ? 0 : debug->getLine());
    return false;
  }

  /// One function stays, without a name that anybody else's could clash with.
  void prepare() {
    if (!module_->getModuleInlineAsm().empty()) add(Kind::forbidden, "has inline assembly", "write it in C");
    if (!module_->alias_empty() || !module_->ifunc_empty())
      add(Kind::forbidden, "has a second name for something (`alias`, `ifunc`)", "call it by its own");
    for (llvm::Function& function : *module_) {
      function.setSection("");
      function.setComdat(nullptr);
      if (function.isDeclaration()) continue;
      function.removeFnAttr(llvm::Attribute::NoInline);
      function.removeFnAttr(llvm::Attribute::OptimizeNone);
      if (&function == function_) {
        function.addParamAttr(0, llvm::Attribute::getWithAlignment(context_, llvm::Align(8)));
        continue;
      }
      function.setLinkage(llvm::GlobalValue::InternalLinkage);
      function.addFnAttr(llvm::Attribute::AlwaysInline);
    }
  }

  void optimise() {
    if (!backend_.prepare(*module_, said_)) return add(Kind::forbidden, said_);
    llvm::LoopAnalysisManager loops;
    llvm::FunctionAnalysisManager functions;
    llvm::CGSCCAnalysisManager calls;
    llvm::ModuleAnalysisManager modules;
    llvm::PassBuilder builder(&backend_.machine());
    builder.registerModuleAnalyses(modules);
    builder.registerCGSCCAnalyses(calls);
    builder.registerFunctionAnalyses(functions);
    builder.registerLoopAnalyses(loops);
    builder.crossRegisterProxies(loops, functions, calls, modules);
    builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O2).run(*module_, modules);
    // Comparisons of bytes become loads, and texts that they compare with constants.
    llvm::FunctionPassManager compare;
    compare.addPass(llvm::ExpandMemCmpPass(&backend_.machine()));
    compare.addPass(llvm::InstCombinePass());
    compare.addPass(llvm::EarlyCSEPass());
    compare.addPass(llvm::SimplifyCFGPass());
    llvm::ModulePassManager last;
    last.addPass(llvm::createModuleToFunctionPassAdaptor(std::move(compare)));
    last.addPass(llvm::GlobalDCEPass());
    last.run(*module_, modules);
  }

  /// The verifier hands a function that it checks by itself a pointer that may be null.
  void begin_with_null_check() {
    llvm::BasicBlock& entry = function_->getEntryBlock();
    llvm::BasicBlock* rest = entry.splitBasicBlock(entry.getFirstNonPHIOrDbgOrAlloca(), "request");
    llvm::BasicBlock* none = llvm::BasicBlock::Create(context_, "none", function_);
    entry.getTerminator()->eraseFromParent();
    llvm::IRBuilder<> builder(&entry);
    builder.CreateCondBr(builder.CreateIsNull(function_->getArg(0)), none, rest);
    builder.SetInsertPoint(none);
    builder.CreateRet(builder.getInt32(0));
  }

  void name() {
    begin_with_null_check();
    result_.filter.name = source_.name;
    result_.filter.path = source_.path;
    result_.filter.function = filter_function(number_);
    function_->setName(result_.filter.function);
    function_->removeFnAttr(llvm::Attribute::AlwaysInline);
    function_->addFnAttr(llvm::Attribute::NoInline);
    rename(*function_->getSubprogram(), result_.filter.function);
    for (FilterMap& map : result_.filter.maps) {
      map.symbol = "hx" + std::to_string(number_) + "_" + map.name;
      llvm::GlobalVariable* variable = module_->getGlobalVariable(map.name, true);
      variable->setName(map.symbol);
      variable->setLinkage(llvm::GlobalValue::ExternalLinkage);
      llvm::SmallVector<llvm::DIGlobalVariableExpression*, 1> debug;
      variable->getDebugInfo(debug);
      for (llvm::DIGlobalVariableExpression* each : debug) rename(*each->getVariable(), map.symbol);
    }
  }

  /// BTF takes names from the debug information.
  void rename(llvm::DISubprogram& node, const std::string& name) {
    node.replaceOperandWith(2, llvm::MDString::get(context_, name));
  }
  void rename(llvm::DIGlobalVariable& node, const std::string& name) {
    node.replaceOperandWith(1, llvm::MDString::get(context_, name));
  }

  /// What the code generator cannot do is found here, where it is known whose fault it is.
  void try_to_generate() {
    std::string broken;
    llvm::raw_string_ostream out(broken);
    if (llvm::verifyModule(*module_, &out)) return add(Kind::forbidden, "makes a module that is broken: " + out.str());
    const std::array<const char*, 2> options = {"heddle", stack_option};
    llvm::cl::ParseCommandLineOptions(static_cast<int>(options.size()), options.data(), "", &llvm::nulls());
    const std::unique_ptr<llvm::Module> copy = llvm::CloneModule(*module_);
    backend_.write(*copy, llvm::CodeGenFileType::ObjectFile);
    if (said_.empty()) return;
    const bool stack = said_.find("stack") != std::string::npos;
    if (stack) return add(Kind::forbidden, "needs more than 128 bytes of the stack", "keep what is larger in a map");
    add(Kind::forbidden, "cannot be translated: " + said_);
  }

  const FilterSource& source_;
  std::uint32_t number_;
  llvm::LLVMContext context_;
  std::unique_ptr<llvm::Module> module_;
  llvm::Function* function_ = nullptr;
  Backend backend_;
  CompiledFilter result_;
  std::string said_;  // the first error of LLVM
};

Json to_json(const CompiledFilter& compiled) {
  Json problems = Json::array();
  for (const FilterProblem& problem : compiled.problems)
    problems.push_back({static_cast<int>(problem.kind), problem.what, problem.help, problem.line, problem.column, problem.is_warning});
  Json maps = Json::array();
  for (const FilterMap& map : compiled.filter.maps)
    maps.push_back({map.name, map.symbol, map.hash, map.key_size, map.value_size, map.max_entries, map.flags});
  const std::string& code = compiled.filter.bitcode;
  return {{"problems", problems}, {"maps", maps}, {"code", Json::binary({code.begin(), code.end()})}};
}

CompiledFilter from_json(const Json& json, const FilterSource& source, std::uint32_t number) {
  CompiledFilter compiled;
  compiled.filter.name = source.name;
  compiled.filter.path = source.path;
  compiled.filter.function = filter_function(number);
  for (const Json& p : json.at("problems"))
    compiled.problems.push_back({p[0].get<Kind>(), p[1], p[2], p[3], p[4], p[5]});
  for (const Json& m : json.at("maps")) compiled.filter.maps.push_back({m[0], m[1], m[2], m[3], m[4], m[5], m[6]});
  const auto& code = json.at("code").get_binary();
  compiled.filter.bitcode.assign(code.begin(), code.end());
  return compiled;
}

ChildResult compile_here(const FilterSource& source, std::uint32_t number) {
  const rlimit time{most_seconds, most_seconds + 1};
  setrlimit(RLIMIT_CPU, &time);
#ifndef __SANITIZE_ADDRESS__  // which takes more than that for itself
  const rlimit memory{most_memory, most_memory};
  setrlimit(RLIMIT_DATA, &memory);
#endif
  const std::vector<std::uint8_t> bytes = Json::to_cbor(to_json(Compilation(source, number).run()));
  return {true, std::string(bytes.begin(), bytes.end())};
}

}  // namespace

std::string filter_function(std::uint32_t number) {
  return "hx" + std::to_string(number) + "_filter";
}

CompiledFilter compile_filter(const FilterSource& source, std::uint32_t number) {
  const ChildResult result = run_in_child([&] { return compile_here(source, number); });
  if (result.ok) return from_json(Json::from_cbor(result.output), source, number);
  CompiledFilter failed;
  failed.problems.push_back({Kind::language, "the C compiler gave up: " + result.output, "a filter is small: write it more simply", 0, 0});
  return failed;
}

}  // namespace heddle::emit
