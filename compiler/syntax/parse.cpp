#include "compiler/syntax/parse.h"

#include <algorithm>
#include <string>
#include <utility>

#include "compiler/diagnostics/kinds.h"
#include "compiler/syntax/builder.h"
#include "compiler/syntax/lex.h"
#include "compiler/syntax/reader.h"

namespace heddle::syntax {

namespace {

namespace kinds = diagnostics::kinds;
using P = Parser;

/// The text of the `///` lines directly before a token.
std::string documentation(Reader& reader, const antlr4::Token* start) {
  std::string text;
  for (const antlr4::Token* comment : reader.tokens().getHiddenTokensToLeft(
           start->getTokenIndex(), static_cast<ssize_t>(Lexer::DOCUMENTATION))) {
    std::string line = comment->getText().substr(3);
    if (line.starts_with(" ")) line.erase(0, 1);
    text += (text.empty() ? "" : "\n") + line;
  }
  return text;
}

class FileBuilder {
 public:
  FileBuilder(Reader& reader, Builder& builder, ast::File& file)
      : reader_(reader), builder_(builder), file_(file) {}

  void add(P::DeclarationContext* context, bool first) {
    if (!is_whole(context)) {
      file_.lost_declarations = true;
      return;
    }
    if (context->space() != nullptr) return add_space(context->space(), first);
    const bool added = attempt(context, context->mesh()) || attempt(context, context->identity()) ||
                       attempt(context, context->workload()) || attempt(context, context->service()) ||
                       attempt(context, context->endpoints()) || attempt(context, context->retryPolicy()) || attempt(context, context->route()) ||
                       attempt(context, dynamic_cast<P::AccessServiceContext*>(context->access())) ||
                       attempt(context, dynamic_cast<P::AccessEveryContext*>(context->access())) ||
                       attempt(context, context->limit()) || attempt(context, context->test()) ||
                       attempt(context, context->externFilter());
    if (!added) builder_.unsupported(builder_.span(context->start));
  }

 private:
  template <typename Context>
  bool attempt(P::DeclarationContext* declaration, Context* context) {
    if (context == nullptr) return false;
    auto built = build(builder_, context);
    built.doc = documentation(reader_, declaration->start);
    built.keyword = builder_.span(declaration->start);
    built.span = builder_.span(declaration);
    built.broken = reader_.has_error_in(built.span);
    file_.declarations.emplace_back(std::move(built));
    return true;
  }

  void add_space(P::SpaceContext* context, bool first) {
    if (first) {
      file_.space = builder_.name(context->name());
    } else {
      builder_.report(kinds::misplaced_space(builder_.span(context)))
          .with_help("put what belongs to another space into a file of its own");
    }
  }

  Reader& reader_;
  Builder& builder_;
  ast::File& file_;
};

}  // namespace

ast::File parse_file(const source::SourceManager& sources, source::FileId id, diagnostics::Sink& sink) {
  ast::File file;
  file.id = id;
  auto lexed = lex(sources.text(id), id, sink);
  file.lost_declarations = true;
  if (!lexed) return file;
  Reader reader(std::move(*lexed), id, sink);
  P::FileContext* tree = reader.read(&P::file);
  if (tree == nullptr) return file;
  file.lost_declarations = false;
  Builder builder(sources, file, sink);
  FileBuilder files(reader, builder, file);
  bool first = true;
  for (auto* declaration : tree->declaration()) {
    files.add(declaration, first);
    first = false;
  }
  // An error outside of every declaration may have been one.
  for (const source::Span place : reader.errors()) {
    const bool inside =
        std::any_of(file.declarations.begin(), file.declarations.end(), [place](const auto& any) {
          return std::visit([place](const auto& d) { return touches(d.span, place); }, any);
        });
    file.lost_declarations = file.lost_declarations || !inside;
  }
  return file;
}

std::optional<ast::Request> parse_request(const source::SourceManager& sources, source::FileId id,
                                          diagnostics::Sink& sink) {
  auto lexed = lex(sources.text(id), id, sink);
  if (!lexed) return std::nullopt;
  Reader reader(std::move(*lexed), id, sink);
  P::RequestTextContext* tree = reader.read(&P::requestText);
  if (tree == nullptr || reader.has_errors()) return std::nullopt;
  ast::File file;
  file.id = id;
  Builder builder(sources, file, sink);
  ast::Request request = build(builder, tree->request());
  for (const ast::Unsupported& part : file.unsupported)
    sink.report(kinds::not_supported(part.span, part.what));
  if (!file.unsupported.empty()) return std::nullopt;
  return request;
}

}  // namespace heddle::syntax
