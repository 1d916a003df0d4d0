#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "compiler/diagnostics/printable.h"
#include "compiler/diagnostics/render.h"

namespace heddle::diagnostics {

namespace {

// A generated policy may have lines of any length; around the mark this much is shown.
constexpr std::size_t context_before = 60;
constexpr std::size_t context_after = 100;

// Nobody reads more; the counts say how many there are.
constexpr std::size_t most_shown = 200;

struct Style {
  const char* reset;
  const char* bold;
  const char* frame;
  const char* severity[3];
};
constexpr Style plain_style = {"", "", "", {"", "", ""}};
constexpr Style colour_style = {"\x1b[0m", "\x1b[1m", "\x1b[34m", {"\x1b[1;31m", "\x1b[1;33m", "\x1b[1;36m"}};

/// One underlined part of one line.
struct Mark {
  source::FileId file = 0;
  std::uint32_t line = 1;
  std::uint32_t begin = 0;  // columns from 0, in bytes
  std::uint32_t end = 0;
  bool primary = false;
  std::string text;
};

/// The shown part of a source line, and where a byte of the line is in it.
class Excerpt {
 public:
  Excerpt(std::string_view line, std::uint32_t mark_begin, std::uint32_t mark_end) : line_(line) {
    const std::size_t begin = mark_begin > context_before ? mark_begin - context_before : 0;
    const std::size_t end = std::max<std::size_t>(mark_end, mark_begin + context_after);
    begin_ = to_boundary(std::min(begin, line.size()));
    end_ = to_boundary(std::min({end, line.size(), begin_ + 4 * context_after}));
  }

  [[nodiscard]] std::string text() const {
    return lead() + shown(begin_, end_) + (end_ < line_.size() ? "…" : "");
  }
  [[nodiscard]] std::size_t column(std::size_t byte) const {
    const std::size_t at = std::clamp(byte, begin_, end_);
    return display_width(lead()) + display_width(shown(begin_, at));
  }

 private:
  [[nodiscard]] std::size_t to_boundary(std::size_t at) const {
    while (at > 0 && at < line_.size() && (static_cast<unsigned char>(line_[at]) & 0xC0) == 0x80) --at;
    return at;
  }
  [[nodiscard]] std::string lead() const { return begin_ > 0 ? "…" : ""; }
  [[nodiscard]] std::string shown(std::size_t begin, std::size_t end) const {
    std::string result;
    while (begin < end) {
      std::size_t stop = std::min(line_.find('\t', begin), end);
      result += printable(line_.substr(begin, stop - begin));
      if (stop < end) {
        result += "    ";
        ++stop;
      }
      begin = stop;
    }
    return result;
  }

  std::string_view line_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

class Renderer {
 public:
  Renderer(const source::SourceManager& sources, const Style& style) : sources_(sources), style_(style) {}

  void add(const Diagnostic& diagnostic) {
    static constexpr const char* words[] = {"error", "warning", "note"};
    const auto severity = static_cast<std::size_t>(diagnostic.kind->severity);
    severity_colour_ = style_.severity[severity];
    out_ += fmt::format("{}{}[{}]{}{}: {}{}\n", severity_colour_, words[severity], diagnostic.kind->code,
                        style_.reset, style_.bold, printable(diagnostic.message), style_.reset);
    const std::vector<Mark> marks = make_marks(diagnostic);
    std::uint32_t last_line = 1;
    for (const Mark& mark : marks) last_line = std::max(last_line, mark.line);
    gutter_ = std::to_string(last_line).size();
    add_marks(marks, diagnostic.span);
    add_help(diagnostic);
    out_ += "\n";
  }

  std::string take() { return std::move(out_); }

 private:
  [[nodiscard]] Mark make_mark(source::Span span, bool primary, const std::string& text) const {
    Mark mark;
    mark.file = span.file;
    mark.primary = primary;
    mark.text = text;
    const source::Position begin = sources_.position(span.file, span.begin);
    const source::Position end = sources_.position(span.file, span.end);
    mark.line = begin.line;
    mark.begin = begin.column - 1;
    const auto line_length = static_cast<std::uint32_t>(sources_.line(span.file, begin.line).size());
    mark.end = end.line == begin.line ? end.column - 1 : std::max(line_length, mark.begin + 1);
    return mark;
  }

  /// The file of the diagnostic itself first, then by place.
  [[nodiscard]] std::vector<Mark> make_marks(const Diagnostic& diagnostic) const {
    std::vector<Mark> marks = {make_mark(diagnostic.span, true, diagnostic.label)};
    for (const Label& label : diagnostic.labels) marks.push_back(make_mark(label.span, false, label.text));
    const source::FileId own = diagnostic.span.file;
    const auto key = [own](const Mark& m) { return std::make_tuple(m.file != own, m.file, m.line, m.begin); };
    std::stable_sort(marks.begin(), marks.end(),
                     [&key](const Mark& a, const Mark& b) { return key(a) < key(b); });
    return marks;
  }

  void add_marks(const std::vector<Mark>& marks, source::Span primary) {
    const std::string space(gutter_, ' ');
    const Mark* previous = nullptr;
    for (const Mark& mark : marks) {
      if (previous == nullptr || previous->file != mark.file) {
        const bool own = mark.file == primary.file;
        const source::Position at = own ? sources_.position(primary.file, primary.begin)
                                        : source::Position{mark.line, mark.begin + 1};
        out_ += fmt::format("{}{}{}{} {}:{}:{}\n", space, style_.frame, own ? "-->" : ":::", style_.reset,
                            printable(sources_.name(mark.file)), at.line, at.column);
        add_gutter();
        out_ += "\n";
        previous = nullptr;
      }
      const bool same_line = previous != nullptr && previous->line == mark.line;
      if (previous != nullptr && mark.line > previous->line + 1) {
        out_ += fmt::format("{}{}...{}\n", space.substr(1), style_.frame, style_.reset);
      }
      add_mark(mark, !same_line, previous);
      previous = &mark;
    }
  }

  void add_gutter() {
    out_ += fmt::format("{} {}|{}", std::string(gutter_, ' '), style_.frame, style_.reset);
  }

  void add_mark(const Mark& mark, bool with_line, const Mark* previous) {
    // Marks of one line share its excerpt, which the first of them chose.
    if (with_line || previous == nullptr)
      excerpt_ = Excerpt(sources_.line(mark.file, mark.line), mark.begin, mark.end);
    if (with_line) {
      out_ +=
          fmt::format("{}{:>{}} |{} {}\n", style_.frame, mark.line, gutter_, style_.reset, excerpt_.text());
    }
    const std::size_t begin = excerpt_.column(mark.begin);
    const std::size_t end = std::max(excerpt_.column(mark.end), begin + 1);
    add_gutter();
    out_ += fmt::format(" {}{}{}{}{}{}\n", std::string(begin, ' '),
                        mark.primary ? severity_colour_ : style_.frame,
                        std::string(end - begin, mark.primary ? '^' : '-'), mark.text.empty() ? "" : " ",
                        printable(mark.text), style_.reset);
  }

  void add_help(const Diagnostic& diagnostic) {
    if (diagnostic.help.empty()) return;
    add_gutter();
    out_ += "\n";
    for (const std::string& help : diagnostic.help) {
      const std::string lead =
          std::string(gutter_, ' ') + " " + style_.frame + "=" + style_.reset + " help: ";
      const std::string indent(gutter_ + 9, ' ');
      std::size_t begin = 0;
      while (begin <= help.size()) {
        const std::size_t end = std::min(help.find('\n', begin), help.size());
        out_ += (begin == 0 ? lead : indent) + printable(help.substr(begin, end - begin)) + "\n";
        begin = end + 1;
      }
    }
  }

  const source::SourceManager& sources_;
  const Style& style_;
  std::string out_;
  const char* severity_colour_ = "";
  std::size_t gutter_ = 1;
  Excerpt excerpt_{"", 0, 0};
};

std::string counted(std::size_t count, const char* what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

}  // namespace

std::string render_pretty(const Sink& sink, const source::SourceManager& sources, bool colour) {
  Renderer renderer(sources, colour ? colour_style : plain_style);
  const std::vector<Diagnostic> all = sink.sorted(sources);
  for (std::size_t i = 0; i < std::min(all.size(), most_shown); ++i) renderer.add(all[i]);
  std::string text = renderer.take();
  if (all.size() > most_shown) text += fmt::format("… and {} more\n\n", all.size() - most_shown);
  std::string counts;
  if (sink.error_count() > 0) counts = counted(sink.error_count(), "error");
  if (sink.warning_count() > 0)
    counts += (counts.empty() ? "" : ", ") + counted(sink.warning_count(), "warning");
  if (!counts.empty()) text += counts + "\n";
  return text;
}

}  // namespace heddle::diagnostics
