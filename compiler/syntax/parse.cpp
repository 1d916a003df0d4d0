#include "compiler/syntax/parse.h"

#include <Exceptions.h>
#include <atn/ParserATNSimulator.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "compiler/diagnostics/kinds.h"
#include "compiler/syntax/builder.h"
#include "compiler/syntax/lex.h"
#include "compiler/syntax/recovery.h"

namespace heddle::syntax {

namespace {

namespace kinds = diagnostics::kinds;
using P = Parser;

/// Whether a place begins in a declaration, or directly behind it, where its end was missed.
bool touches(source::Span declaration, source::Span place) {
  return place.begin >= declaration.begin && place.begin <= declaration.end;
}

/// Tokens, and the tree that stands on them.
class Reader {
 public:
  Reader(Lexed lexed, source::FileId file, diagnostics::Sink& sink)
      : lexed_(std::move(lexed)),
        source_(std::move(lexed_.tokens)),
        tokens_(&source_),
        parser_(&tokens_),
        file_(file),
        sink_(sink) {
    parser_.removeErrorListeners();
    tokens_.fill();
  }

  /// The quick prediction is right for every right text; what it cannot read is read again with the full one,
  /// and only then are errors reported. Null: given up after too many of them.
  template <typename Context>
  Context* read(Context* (P::*rule)()) {
    parser_.getInterpreter<antlr4::atn::ParserATNSimulator>()->setPredictionMode(
        antlr4::atn::PredictionMode::SLL);
    parser_.setErrorHandler(std::make_shared<antlr4::BailErrorStrategy>());
    try {
      return (parser_.*rule)();
    } catch (const antlr4::ParseCancellationException&) {
      tokens_.seek(0);
      parser_.reset();
    }
    parser_.getInterpreter<antlr4::atn::ParserATNSimulator>()->setPredictionMode(
        antlr4::atn::PredictionMode::LL);
    recovery_ = std::make_shared<Recovery>(file_, sink_);
    parser_.setErrorHandler(recovery_);
    try {
      return (parser_.*rule)();
    } catch (const antlr4::ParseCancellationException&) {
      return nullptr;
    }
  }

  /// Where the syntax errors were.
  [[nodiscard]] std::vector<source::Span> errors() const {
    return recovery_ == nullptr ? std::vector<source::Span>() : recovery_->places();
  }
  [[nodiscard]] bool has_error_in(source::Span span) const {
    const auto places = errors();
    return std::any_of(places.begin(), places.end(),
                       [span](source::Span place) { return touches(span, place); });
  }
  [[nodiscard]] bool has_errors() const { return recovery_ != nullptr; }
  antlr4::CommonTokenStream& tokens() { return tokens_; }

 private:
  Lexed lexed_;
  antlr4::ListTokenSource source_;
  antlr4::CommonTokenStream tokens_;
  P parser_;
  source::FileId file_;
  diagnostics::Sink& sink_;
  std::shared_ptr<Recovery> recovery_;
};

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
                       attempt(context, context->endpoints()) || attempt(context, context->route()) ||
                       attempt(context, dynamic_cast<P::AccessServiceContext*>(context->access())) ||
                       attempt(context, context->limit()) || attempt(context, context->test());
    if (!added) add_unsupported(context);
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

  void add_unsupported(P::DeclarationContext* context) {
    const source::Span keyword = builder_.span(context->start);
    // Of `access every` the first word alone would be wrong.
    auto* every = dynamic_cast<P::AccessEveryContext*>(context->access());
    builder_.unsupported(every == nullptr ? keyword : Builder::join(keyword, builder_.span(every->EVERY())));
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
