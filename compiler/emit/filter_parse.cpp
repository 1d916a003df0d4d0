#include <clang/Basic/Diagnostic.h>
#include <clang/Basic/DiagnosticOptions.h>
#include <clang/Basic/SourceManager.h>
#include <clang/CodeGen/CodeGenAction.h>
#include <clang/Frontend/CompilerInstance.h>
#include <clang/Frontend/CompilerInvocation.h>
#include <clang/Lex/LexDiagnostic.h>
#include <llvm/Support/VirtualFileSystem.h>
#include <llvm/Support/raw_ostream.h>

#include <cctype>
#include <span>
#include <string>

#include "compiler/emit/filter_module.h"
#include "embedded/filter_header.h"
#include "embedded/request_header.h"

namespace heddle::emit {
namespace {

constexpr std::size_t most_problems = 20;

/// Keeps what Clang says, with places in the filter's own text.
class Listener : public clang::DiagnosticConsumer {
 public:
  explicit Listener(std::vector<FilterProblem>& problems) : problems_(problems) {}

  void HandleDiagnostic(clang::DiagnosticsEngine::Level level, const clang::Diagnostic& said) override {
    clang::DiagnosticConsumer::HandleDiagnostic(level, said);
    llvm::SmallString<256> text;
    said.FormatDiagnostic(text);
    FilterProblem problem;
    problem.what = text.str().str();
    place(said, problem);
    if (level == clang::DiagnosticsEngine::Note) {
      if (noted_ && !problems_.empty() && problems_.back().help.empty())
        problems_.back().help = problem.what + (problem.line == 0 ? "" : " (line " + std::to_string(problem.line) + ")");
      return;
    }
    noted_ = level >= clang::DiagnosticsEngine::Warning && problems_.size() < most_problems;
    if (!noted_) return;
    problem.is_warning = level == clang::DiagnosticsEngine::Warning;
    if (said.getID() == clang::diag::err_pp_file_not_found)
      problem.help = "a filter is one file, and includes nothing but `<heddle/filter.h>`";
    problems_.push_back(std::move(problem));
  }

 private:
  static void place(const clang::Diagnostic& said, FilterProblem& problem) {
    if (!said.hasSourceManager() || said.getLocation().isInvalid()) return;
    const clang::SourceManager& sources = said.getSourceManager();
    clang::SourceLocation at = sources.getExpansionLoc(said.getLocation());
    while (at.isValid() && sources.getFileID(at) != sources.getMainFileID()) at = sources.getIncludeLoc(sources.getFileID(at));
    if (at.isInvalid()) return;
    problem.line = sources.getExpansionLineNumber(at);
    problem.column = sources.getExpansionColumnNumber(at);
  }

  std::vector<FilterProblem>& problems_;
  bool noted_ = false;
};

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The name that debug information has: no folder, and nothing that an option could be mistaken for.
std::string file_name(const std::string& path) {
  std::string name = path.substr(path.rfind('/') + 1);
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '.' && c != '_') c = '_';
  }
  return name;
}

}  // namespace

std::unique_ptr<llvm::Module> parse_filter(const FilterSource& source, llvm::LLVMContext& context,
                                           std::vector<FilterProblem>& problems) {
  const std::string name = file_name(source.path);
  llvm::IntrusiveRefCntPtr<llvm::vfs::InMemoryFileSystem> files(new llvm::vfs::InMemoryFileSystem);
  files->setCurrentWorkingDirectory("/filter");
  files->addFile("/filter/" + name, 0, llvm::MemoryBuffer::getMemBufferCopy(source.text, name));
  files->addFile("/include/heddle/filter.h", 0, llvm::MemoryBuffer::getMemBufferCopy(text_of(embedded::filter_header())));
  files->addFile("/include/heddle/request.h", 0, llvm::MemoryBuffer::getMemBufferCopy(text_of(embedded::request_header())));

  Listener listener(problems);
  clang::CompilerInstance compiler;
  compiler.setVerboseOutputStream(std::make_unique<llvm::raw_null_ostream>());
  // Equal texts give equal bundles, so nothing may ask for the date. DWARF 5, because only there the text lies beside the line numbers: the file is never looked for again.
  const std::vector<const char*> arguments = {"-triple", "bpf", "-target-cpu", "v3", "-O2", "-disable-llvm-passes", "-std=gnu11",
                                              "-fno-builtin-memcpy", "-fno-builtin-memset", "-fno-builtin-memmove", "-nostdsysteminc", "-nobuiltininc", "-isystem", "/include",
                                              "-debug-info-kind=standalone", "-dwarf-version=5", "-gembed-source",
                                              "-fdebug-compilation-dir=.", "-Wall", "-Wdate-time", "-Werror=date-time",
                                              "-ferror-limit", "20",
                                              "-fbracket-depth", "256",
                                              "-x", "c", name.c_str()};
  const auto options = clang::CompilerInstance::createDiagnostics(new clang::DiagnosticOptions, &listener, false);
  if (!clang::CompilerInvocation::CreateFromArgs(compiler.getInvocation(), arguments, *options)) return nullptr;
  compiler.createDiagnostics(&listener, false);
  compiler.createFileManager(files);
  clang::EmitLLVMOnlyAction action(&context);
  if (!compiler.ExecuteAction(action)) return nullptr;
  return action.takeModule();
}

}  // namespace heddle::emit
