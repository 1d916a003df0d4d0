#include "compiler/lower/function.h"

#include "bpf_templates/include/heddle/abi.h"

namespace heddle::lower {

FunctionMaker::FunctionMaker(llvm::Module& module, const llvm::Function& like)
    : module_(module),
      like_(like),
      debug_(module),
      file_(debug_.createFile("policy", ".")),
      unit_(debug_.createCompileUnit(llvm::dwarf::DW_LANG_C11, file_, "heddle", true, "", 0)),
      type_(make_type()) {
  module_.addModuleFlag(llvm::Module::Warning, "Debug Info Version", llvm::DEBUG_METADATA_VERSION);
}

llvm::DISubroutineType* FunctionMaker::make_type() {
  constexpr std::uint64_t bits = sizeof(hd_facts) * 8;
  llvm::DIType* word = debug_.createBasicType("unsigned long long", 64, llvm::dwarf::DW_ATE_unsigned);
  llvm::DIType* number = debug_.createBasicType("unsigned int", 32, llvm::dwarf::DW_ATE_unsigned);
  llvm::DIType* words = debug_.createArrayType(
      bits, 64, word, debug_.getOrCreateArray({debug_.getOrCreateSubrange(0, std::int64_t{bits / 64})}));
  llvm::DIType* member =
      debug_.createMemberType(file_, "words", file_, 0, bits, 64, 0, llvm::DINode::FlagZero, words);
  llvm::DIType* facts = debug_.createStructType(unit_, "hd_facts", file_, 0, bits, 64, llvm::DINode::FlagZero,
                                                nullptr, debug_.getOrCreateArray({member}));
  llvm::DIType* pointer = debug_.createPointerType(facts, 64);
  return debug_.createSubroutineType(debug_.getOrCreateTypeArray({number, pointer}));
}

llvm::Function* FunctionMaker::make(const std::string& name) {
  llvm::LLVMContext& context = module_.getContext();
  auto* type =
      llvm::FunctionType::get(llvm::Type::getInt32Ty(context), {llvm::PointerType::get(context, 0)}, false);
  llvm::Function* function = llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage, name, module_);
  for (const char* attribute : {"target-cpu", "target-features"}) {
    if (like_.hasFnAttribute(attribute)) function->addFnAttr(like_.getFnAttribute(attribute));
  }
  function->addFnAttr(llvm::Attribute::NoInline);
  function->addFnAttr(llvm::Attribute::NoUnwind);
  function->getArg(0)->setName("facts");
  llvm::DISubprogram* subprogram =
      debug_.createFunction(unit_, name, "", file_, 1, type_, 1, llvm::DINode::FlagPrototyped,
                            llvm::DISubprogram::SPFlagDefinition);
  /* BTF takes the names and types of parameters from the variables that are kept for the function. */
  llvm::DILocalVariable* parameter =
      debug_.createParameterVariable(subprogram, "facts", 1, file_, 1, type_->getTypeArray()[1], true);
  subprogram->replaceRetainedNodes(llvm::MDNode::get(context, {parameter}));
  function->setSubprogram(subprogram);
  return function;
}

}  // namespace heddle::lower
