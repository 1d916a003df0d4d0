#include "compiler/syntax/format.h"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/syntax/reader.h"

namespace heddle::syntax {

namespace {

using P = Parser;

constexpr std::size_t no_place = std::string::npos;
constexpr int no_rule = -1;
constexpr std::size_t widest_column = 100;  // beyond it nothing is lined up

/// A token or a comment, and what stood before it.
struct Piece {
  std::string text;
  std::size_t type = 0;  // of a token; comments have none
  bool is_comment = false;
  bool begins_line = false;
  bool behind_blank_line = false;
  int item = no_rule;           // the rule of the statement or declaration that begins here
  bool one_line = false;        // of `{`: the block stays on one line
};

/// What begins a line of its own in a block that has more than one.
bool is_item(std::size_t rule) {
  static const std::vector<std::size_t> items = {
      P::RuleDeclaration, P::RuleMeshItem,   P::RuleWorkloadItem, P::RuleServiceItem, P::RuleEndpointsItem,
      P::RuleEndpointItem, P::RuleRetryItem, P::RuleRouteItem,    P::RuleOption,      P::RuleCorsItem,
      P::RuleAccessRule,  P::RuleLimitItem,  P::RuleClaimItem,    P::RuleTestItem,    P::RuleSplitPart};
  return std::find(items.begin(), items.end(), rule) != items.end();
}

/// By the first byte; of what begins at one place the outermost.
using Items = std::map<std::size_t, int>;

void collect_items(antlr4::tree::ParseTree* tree, Items& items) {
  auto* context = dynamic_cast<antlr4::ParserRuleContext*>(tree);
  if (context == nullptr) return;
  if (is_item(context->getRuleIndex()) && context->start != nullptr)
    items.try_emplace(context->start->getStartIndex(), static_cast<int>(context->getRuleIndex()));
  for (auto* child : context->children) collect_items(child, items);
}

/// Tokens and comments in their order.
class Pieces {
 public:
  Pieces(std::string_view text, const Items& items) : text_(text), items_(items) {}

  void add_token(const antlr4::Token& token) {
    const std::size_t begin = token.getStartIndex();
    add_comments(begin);
    if (token.getType() == antlr4::Token::EOF) return;
    const std::size_t end = token.getStopIndex() + 1;
    Piece piece = next(begin, std::string(text_.substr(begin, end - begin)));
    piece.type = token.getType();
    if (const auto item = items_.find(begin); item != items_.end()) piece.item = item->second;
    pieces_.push_back(std::move(piece));
    at_ = end;
  }

  std::vector<Piece> finish() {
    match_braces();
    return std::move(pieces_);
  }

 private:
  [[nodiscard]] Piece next(std::size_t begin, std::string text) const {
    Piece piece;
    const std::string_view gap = text_.substr(at_, begin - at_);
    const auto lines = std::count(gap.begin(), gap.end(), '\n');
    piece.begins_line = lines > 0 || pieces_.empty();
    piece.behind_blank_line = lines > 1;
    piece.text = std::move(text);
    return piece;
  }

  void add_comments(std::size_t until) {
    while (true) {
      const std::size_t begin = text_.find_first_not_of(" \t\r\n", at_);
      if (begin == no_place || begin >= until) return;
      const bool block = text_.substr(begin, 2) == "/*";
      std::size_t end = block ? text_.find("*/", begin) + 2 : std::min(text_.find('\n', begin), text_.size());
      std::string text(text_.substr(begin, end - begin));
      while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) text.pop_back();
      Piece piece = next(begin, std::move(text));
      piece.is_comment = true;
      pieces_.push_back(std::move(piece));
      at_ = end;
    }
  }

  /// A block stays on one line if it stood on one, without a comment.
  void match_braces() {
    std::vector<std::size_t> open;
    for (std::size_t i = 0; i < pieces_.size(); ++i) {
      if (pieces_[i].type == P::LBRACE) open.push_back(i);
      if (pieces_[i].type != P::RBRACE || open.empty()) continue;
      Piece& brace = pieces_[open.back()];
      const auto breaks = [](const Piece& piece) { return piece.begins_line || piece.is_comment; };
      const auto first = pieces_.begin() + static_cast<std::ptrdiff_t>(open.back()) + 1;
      const auto last = pieces_.begin() + static_cast<std::ptrdiff_t>(i);
      brace.one_line = first == last || (!std::any_of(first, last, breaks) && !pieces_[i].begins_line);
      open.pop_back();
    }
  }

  std::string_view text_;
  const Items& items_;
  std::vector<Piece> pieces_;
  std::size_t at_ = 0;
};

struct Line {
  std::size_t indent = 0;
  std::string text;
  std::string comment;           // behind it
  int item = no_rule;            // that begins with it
  std::size_t block = 0;
  std::size_t keyword = no_place;  // where the second token of the item begins
  std::size_t mark = no_place;     // where `->` or `=` begins
  std::size_t brace = no_place;    // where a block begins that ends with the line
  bool behind_blank_line = false;
};

bool needs_space(const Piece& before, const Piece& piece) {
  switch (piece.type) {
    case P::COMMA:
    case P::RPAREN:
    case P::RBRACKET:
    case P::DOT:
    case P::RANGE:
      return false;
    case P::RBRACE:
      return before.type != P::LBRACE;
    default:
      break;
  }
  return before.type != P::LPAREN && before.type != P::LBRACKET && before.type != P::DOT && before.type != P::RANGE;
}

/// Pieces into lines.
class Layout {
 public:
  explicit Layout(const std::vector<Piece>& pieces) : pieces_(pieces) {}

  std::vector<Line> run() {
    for (std::size_t i = 0; i < pieces_.size(); ++i) add(i);
    return std::move(lines_);
  }

 private:
  struct Block {
    bool one_line = false;
    std::size_t number = 0;
  };

  [[nodiscard]] bool in_one_line() const { return !blocks_.empty() && blocks_.back().one_line; }

  void add(std::size_t i) {
    const Piece& piece = pieces_[i];
    if (piece.is_comment) return add_comment(piece);
    bool closes_lines = false;
    if (piece.type == P::RBRACE && !blocks_.empty()) {
      closes_lines = !blocks_.back().one_line;
      if (closes_lines) --depth_;
      blocks_.pop_back();
    }
    const bool item = piece.item != no_rule && !in_one_line();
    const bool goes_on = piece.begins_line && piece.type != P::RBRACE && !in_one_line() && piece.type != P::LBRACE;
    if (lines_.empty() || item || closes_lines || goes_on || line_is_over_) {
      const bool blank = piece.behind_blank_line && (item || piece.item != no_rule) && !just_opened_;
      begin_line(depth_ * 2 + (item || closes_lines ? 0 : 4), blank);
      if (item) lines_.back().item = piece.item;
    } else if (needs_space(*before_, piece)) {
      // In a block on one line its statements stand a little apart.
      const bool apart = piece.item != no_rule && piece.item != static_cast<int>(P::RuleSplitPart) && before_->type != P::LBRACE;
      lines_.back().text += apart ? "  " : " ";
    }
    Line& line = lines_.back();
    ++line_pieces_;
    if (line_pieces_ == 2 && line.item != no_rule) line.keyword = line.text.size();
    const bool marks = piece.type == P::ARROW || (piece.type == P::EQUALS && line.item == static_cast<int>(P::RuleDeclaration));
    if (marks && line.mark == no_place && line.item != no_rule) line.mark = line.text.size();
    if (piece.type == P::LBRACE && line.item != no_rule) line.brace = piece.one_line && !in_one_line() ? line.text.size() : line.brace;
    if (piece.type == P::LBRACE && !piece.one_line) line.brace = no_place;
    line.text += piece.text;
    just_opened_ = false;
    if (piece.type == P::LBRACE) {
      blocks_.push_back({piece.one_line || in_one_line(), ++block_count_});
      if (!blocks_.back().one_line) {
        ++depth_;
        just_opened_ = true;
      }
    }
    before_ = &piece;
  }

  /// On a line of its own, or behind what it stood behind.
  void add_comment(const Piece& piece) {
    if (!piece.begins_line && !lines_.empty() && !line_is_over_ && lines_.back().comment.empty()) {
      lines_.back().comment = piece.text;
    } else {
      begin_line(depth_ * 2, piece.behind_blank_line && !just_opened_);
      lines_.back().text = piece.text;
    }
    line_is_over_ = true;
    just_opened_ = false;
  }

  void begin_line(std::size_t indent, bool blank) {
    lines_.emplace_back();
    lines_.back().indent = indent;
    lines_.back().behind_blank_line = blank && lines_.size() > 1;
    lines_.back().block = blocks_.empty() ? 0 : blocks_.back().number;
    line_is_over_ = false;
    line_pieces_ = 0;
  }

  const std::vector<Piece>& pieces_;
  std::vector<Line> lines_;
  std::vector<Block> blocks_;
  const Piece* before_ = nullptr;
  std::size_t depth_ = 0;
  std::size_t block_count_ = 0;
  std::size_t line_pieces_ = 0;
  bool line_is_over_ = false;
  bool just_opened_ = false;
};

/// Lines that stand together and have a place to line up.
class Columns {
 public:
  explicit Columns(std::vector<Line>& lines) : lines_(lines) {}

  void run() {
    for_runs([](const Line& line) { return has_keyword(line); }, [](const Line& line) { return is_passed_over(line); },
             &Line::keyword);
    for_runs([](const Line& line) { return line.mark != no_place; }, [](const Line&) { return false; }, &Line::mark);
    for_runs([](const Line& line) { return line.brace != no_place && line.text.ends_with('}'); },
             [](const Line&) { return false; }, &Line::brace);
    line_up_comments();
  }

 private:
  static bool has_keyword(const Line& line) {
    static const std::vector<int> rules = {P::RuleMeshItem,  P::RuleWorkloadItem, P::RuleServiceItem,
                                           P::RuleRetryItem, P::RuleLimitItem,    P::RuleAccessRule};
    return line.keyword != no_place && std::find(rules.begin(), rules.end(), line.item) != rules.end() &&
           !is_passed_over(line);
  }

  /// Of a service these are lists within the list.
  static bool is_passed_over(const Line& line) {
    return line.item == static_cast<int>(P::RuleServiceItem) &&
           (line.text.starts_with("subset ") || line.text.starts_with("endpoint "));
  }

  template <typename Has, typename PassedOver>
  void for_runs(Has&& has, PassedOver&& passed_over, std::size_t Line::* place) {
    std::vector<Line*> run;
    for (Line& line : lines_) {
      const bool apart = !run.empty() && (line.behind_blank_line || line.block != run.back()->block ||
                                          line.indent != run.back()->indent || line.item == no_rule);
      if (apart) line_up(run, place);
      if (has(line)) {
        run.push_back(&line);
      } else if (!passed_over(line)) {
        line_up(run, place);
      }
    }
    line_up(run, place);
  }

  static void line_up(std::vector<Line*>& run, std::size_t Line::* place) {
    std::size_t widest = 0;
    for (const Line* line : run) {
      if (line->*place <= widest_column) widest = std::max(widest, line->*place);
    }
    for (Line* line : run) {
      const std::size_t at = line->*place;
      if (at >= widest) continue;
      line->text.insert(at, widest - at, ' ');
      for (std::size_t Line::* behind : {&Line::mark, &Line::brace}) {
        if (behind != place && line->*behind != no_place && line->*behind >= at) line->*behind += widest - at;
      }
    }
    run.clear();
  }

  void line_up_comments() {
    for (std::size_t begin = 0; begin < lines_.size();) {
      std::size_t end = begin;
      std::size_t widest = 0;
      while (end < lines_.size() && !lines_[end].comment.empty() && (end == begin || !lines_[end].behind_blank_line)) {
        const std::size_t width = lines_[end].indent + lines_[end].text.size();
        if (width <= widest_column) widest = std::max(widest, width);
        ++end;
      }
      for (std::size_t i = begin; i < end; ++i) {
        Line& line = lines_[i];
        const std::size_t width = line.indent + line.text.size();
        line.text += std::string(width < widest ? widest - width : 0, ' ') + "  " + line.comment;
      }
      begin = std::max(end, begin + 1);
    }
  }

  std::vector<Line>& lines_;
};

}  // namespace

std::optional<std::string> format_file(const source::SourceManager& sources, source::FileId id,
                                       diagnostics::Sink& sink) {
  const std::string_view text = sources.text(id);
  auto lexed = lex(text, id, sink);
  if (!lexed || sink.has_errors()) return std::nullopt;
  Reader reader(std::move(*lexed), id, sink);
  P::FileContext* tree = reader.read(&P::file);
  if (tree == nullptr || reader.has_errors()) return std::nullopt;
  Items items;
  collect_items(tree, items);
  Pieces pieces(text, items);
  for (const antlr4::Token* token : reader.tokens().getTokens()) {
    if (token->getChannel() == antlr4::Token::DEFAULT_CHANNEL) pieces.add_token(*token);
  }
  const std::vector<Piece> all = pieces.finish();
  std::vector<Line> lines = Layout(all).run();
  Columns(lines).run();
  std::string out;
  for (const Line& line : lines) {
    if (line.behind_blank_line) out += '\n';
    out += std::string(line.indent, ' ') + line.text + '\n';
  }
  return out;
}

}  // namespace heddle::syntax
