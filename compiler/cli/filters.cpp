#include "compiler/cli/filters.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>

#include "compiler/diagnostics/kinds.h"
#include "compiler/emit/filter.h"

namespace heddle::cli {
namespace {

namespace fs = std::filesystem;
namespace kinds = diagnostics::kinds;
using emit::FilterProblem;

constexpr std::size_t most_bytes = std::size_t{1} << 20;

/// Relative to the file that declares it; for messages from its name, for bundles from its path there.
std::string beside(const std::string& file, const std::string& path) {
  return (fs::path(file).parent_path() / path).lexically_normal().generic_string();
}

/// The text, or why there is none.
std::optional<std::string> read(const std::string& path, std::string& why) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) {
    why = error || !fs::exists(path) ? "there is no such file" : "it is no file";
    return std::nullopt;
  }
  std::ifstream file(path, std::ios::binary);
  std::string text(most_bytes + 1, '\0');
  if (file) file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file.is_open() || file.bad()) {
    why = std::strerror(errno);
    return std::nullopt;
  }
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() <= most_bytes) return text;
  why = "it is longer than 1 MiB";
  return std::nullopt;
}

/// Two externs may have one text.
source::FileId add_once(source::SourceManager& sources, const std::string& name, std::string text, const std::string& path) {
  for (source::FileId file = 0; file < sources.file_count(); ++file) {
    if (sources.name(file) == name) return file;
  }
  return sources.add(name, std::move(text), path);
}

class FilterReport {
 public:
  FilterReport(Checked& checked, const model::Filter& filter) : checked_(checked), filter_(filter) {}

  void report(const FilterProblem& problem) {
    auto& diagnostic = checked_.sink.report(made(problem));
    if (!problem.help.empty()) diagnostic.with_help(problem.help);
    if (problem.line != 0) diagnostic.with_label(filter_.span, "the extern");
  }

 private:
  diagnostics::Diagnostic made(const FilterProblem& problem) const {
    const source::Span span = place(problem);
    switch (problem.kind) {
      case FilterProblem::Kind::shape:
        return kinds::filter_shape(span, filter_.name, problem.what);
      case FilterProblem::Kind::forbidden:
        return kinds::filter_forbidden(span, filter_.name, problem.what);
      case FilterProblem::Kind::loop:
        return kinds::filter_loops(span, filter_.name, problem.what);
      case FilterProblem::Kind::map:
        return kinds::filter_map(span, problem.what);
      case FilterProblem::Kind::language:
        break;
    }
    return problem.is_warning ? kinds::filter_warning(span, problem.what) : kinds::filter_language(span, problem.what);
  }

  /// The word, or the sign, that begins there; of a line alone all that stands in it.
  [[nodiscard]] source::Span place(const FilterProblem& problem) const {
    if (problem.line == 0) return filter_.path_span;
    const std::string_view text = checked_.sources.text(*filter_.text);
    std::size_t begin = 0;
    for (std::uint32_t line = 1; line < problem.line; ++line) {
      const std::size_t end = text.find('\n', begin);
      if (end == std::string_view::npos) break;
      begin = end + 1;
    }
    const std::size_t line_end = std::min(text.find('\n', begin), text.size());
    std::size_t end = line_end;
    if (problem.column == 0) {
      begin = std::min(text.find_first_not_of(" \t", begin), line_end);
    } else {
      begin = std::min(begin + problem.column - 1, line_end);
      const auto is_word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; };
      end = begin;
      while (end < line_end && is_word(text[end])) ++end;
      if (end == begin) end = std::min(begin + 1, line_end);
    }
    return {*filter_.text, static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)};
  }

  Checked& checked_;
  const model::Filter& filter_;
};

bool read_text(Checked& checked, model::Filter& filter) {
  const source::FileId declared_in = filter.span.file;
  const std::string name = beside(checked.sources.name(declared_in), filter.path);
  std::string why;
  auto text = read(name, why);
  if (!text) {
    checked.sink.report(kinds::no_filter_text(filter.path_span, name, why))
        .with_help("the path of a filter begins in the folder of the file that declares it");
    return false;
  }
  filter.text = add_once(checked.sources, name, std::move(*text), beside(checked.sources.path(declared_in), filter.path));
  return true;
}

}  // namespace

void compile_filters(Checked& checked) {
  std::vector<model::Filter>& filters = checked.policy->filters;
  for (std::uint32_t number = 0; number < filters.size(); ++number) {
    model::Filter& filter = filters[number];
    if (!read_text(checked, filter)) continue;
    const emit::FilterSource source{filter.name, checked.sources.path(*filter.text),
                                    std::string(checked.sources.text(*filter.text))};
    emit::CompiledFilter compiled = emit::compile_filter(source, number);
    for (const FilterProblem& problem : compiled.problems) FilterReport(checked, filter).report(problem);
    checked.filters.push_back(std::move(compiled.filter));
  }
}

}  // namespace heddle::cli
