#include "compiler/emit/generate.h"

#include <llvm/Bitcode/BitcodeReader.h>
#include <llvm/IR/DiagnosticInfo.h>
#include <llvm/IR/DiagnosticPrinter.h>
#include <llvm/IR/Verifier.h>
#include <llvm/Linker/Linker.h>
#include <llvm/Object/ELFObjectFile.h>
#include <llvm/Support/MemoryBuffer.h>
#include <llvm/Support/raw_ostream.h>

#include "compiler/emit/backend.h"
#include "compiler/emit/child.h"
#include "compiler/lower/lower.h"
#include "embedded/policy_template.h"

namespace heddle::emit {
namespace {

ChildResult failed(std::string what) {
  return {false, std::move(what)};
}

/// What LLVM says to its diagnostics handler, kept for the report; only errors count.
struct Said {
  std::string errors;
};

void note_diagnostic(const llvm::DiagnosticInfo* info, void* context) {
  if (info->getSeverity() != llvm::DS_Error) return;
  llvm::raw_string_ostream out(static_cast<Said*>(context)->errors);
  llvm::DiagnosticPrinterRawOStream printer(out);
  info->print(printer);
  out << "; ";
}

llvm::Expected<std::unique_ptr<llvm::Module>> read_template(llvm::LLVMContext& context) {
  const std::span<const std::byte> bytes = embedded::policy_template();
  const llvm::StringRef text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return llvm::parseBitcodeFile(llvm::MemoryBufferRef(text, "template"), context);
}

std::string as_text(const llvm::Module& module) {
  std::string text;
  llvm::raw_string_ostream out(text);
  module.print(out, nullptr);
  return out.str();
}

/// A helper that LLVM called for (memcmp, strlen) would be found missing only when the object is loaded.
std::string undefined_symbols(llvm::StringRef object) {
  auto file = llvm::object::ObjectFile::createELFObjectFile(llvm::MemoryBufferRef(object, "policy.bpf.o"));
  if (!file) return llvm::toString(file.takeError());
  std::string names;
  for (const llvm::object::SymbolRef& symbol : (*file)->symbols()) {
    llvm::Expected<std::uint32_t> flags = symbol.getFlags();
    llvm::Expected<llvm::StringRef> name = symbol.getName();
    if (!flags || !name) return "unreadable symbol table";
    if (!name->empty() && (*flags & llvm::object::SymbolRef::SF_Undefined) != 0) names += name->str() + " ";
  }
  return names.empty() ? names : "undefined symbols in the object: " + names;
}

ChildResult emit_code(llvm::Module& module, Product product) {
  Backend backend;
  std::string error;
  if (!backend.prepare(module, error)) return failed(error);
  if (product == Product::assembly) return backend.write(module, llvm::CodeGenFileType::AssemblyFile);
  ChildResult object = backend.write(module, llvm::CodeGenFileType::ObjectFile);
  const std::string undefined = object.ok ? undefined_symbols(object.output) : std::string();
  return undefined.empty() ? object : failed(undefined);
}

std::vector<std::string> functions_of(const std::vector<Filter>& filters) {
  std::vector<std::string> names;
  for (const Filter& filter : filters) names.push_back(filter.function);
  return names;
}

/// Each filter has one function, and maps; everything else of it is the module's own.
bool link_filters(llvm::Module& into, const std::vector<Filter>& filters, std::string& error) {
  for (const Filter& filter : filters) {
    auto module = llvm::parseBitcodeFile(llvm::MemoryBufferRef(filter.bitcode, filter.path), into.getContext());
    if (!module) error = llvm::toString(module.takeError());
    if (!error.empty() || llvm::Linker::linkModules(into, std::move(*module))) return false;
  }
  return true;
}

ChildResult generate_here(const plan::Plan& plan, const std::vector<Filter>& filters, Product product) {
  llvm::LLVMContext context;
  Said said;
  context.setDiagnosticHandlerCallBack(note_diagnostic, &said);
  llvm::Expected<std::unique_ptr<llvm::Module>> linked = read_template(context);
  if (!linked) return failed(llvm::toString(linked.takeError()));
  const llvm::Function* like = (*linked)->getFunction("decide");
  if (like == nullptr) return failed("the template has no function `decide`");
  std::unique_ptr<llvm::Module> policy = lower::lower_policy(plan, *like, functions_of(filters));
  if (product == Product::ir) return {true, as_text(*policy)};
  if (llvm::Linker::linkModules(**linked, std::move(policy))) return failed("linking: " + said.errors);
  std::string unread;
  if (!link_filters(**linked, filters, unread)) return failed("linking filters: " + unread + said.errors);
  std::string broken;
  llvm::raw_string_ostream out(broken);
  if (llvm::verifyModule(**linked, &out)) return failed("the module is broken: " + out.str());
  if (product == Product::llvm) return {true, as_text(**linked)};
  ChildResult result = emit_code(**linked, product);
  return said.errors.empty() ? result : failed(said.errors);
}

}  // namespace

Generated generate(const plan::Plan& plan, Product product, const std::vector<Filter>& filters) {
  ChildResult result = run_in_child([&] { return generate_here(plan, filters, product); });
  Generated generated;
  generated.ok = result.ok;
  (result.ok ? generated.bytes : generated.error) = std::move(result.output);
  return generated;
}

}  // namespace heddle::emit
