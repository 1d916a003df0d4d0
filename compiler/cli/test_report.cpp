#include "compiler/cli/test_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>

#include "compiler/cli/places.h"
#include "compiler/diagnostics/printable.h"

namespace heddle::cli {

namespace {

using eval::TestFailure;
using eval::TestResult;

bool passed(const TestResult& result) {
  return result.failures.empty() && !result.trouble;
}

std::string failure_text(const TestFailure& failure, const source::SourceManager& sources) {
  std::string text =
      fmt::format("  {}: {}\n", place_text(sources, failure.send), words_of(sources, failure.send));
  text += fmt::format("    expected  {}", failure.expected);
  if (failure.expect) text += fmt::format("  ({})", place_text(sources, *failure.expect));
  text += fmt::format("\n    happened  {}", failure.happened);
  if (!failure.rule.empty()) text += fmt::format(", by `{}`", failure.rule);
  if (failure.place) text += fmt::format("  ({})", place_text(sources, *failure.place));
  if (!failure.caller.empty()) text += fmt::format("\n    caller    {}", failure.caller);
  if (failure.draw) text += fmt::format("\n    draw      {}", *failure.draw);
  return text + "\n";
}

std::string details(const TestResult& result, const source::SourceManager& sources) {
  std::string text;
  for (const TestFailure& failure : result.failures) text += failure_text(failure, sources);
  if (result.trouble) {
    text += "  could not be decided: " + result.trouble->what + "\n";
    if (!result.trouble->help.empty()) text += "    help: " + result.trouble->help + "\n";
  }
  return text;
}

const char* mark(const TestResult& result) {
  if (passed(result)) return "ok   ";
  return result.failures.empty() ? "ERROR" : "FAIL ";
}

std::size_t count_passed(const EngineResults& results) {
  return static_cast<std::size_t>(std::ranges::count_if(results.results, passed));
}

void append_xml(std::string& result, char byte) {
  static const std::map<char, const char*> entities = {
      {'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}};
  const auto entity = entities.find(byte);
  if (entity == entities.end()) {
    result += byte;
  } else {
    result += entity->second;
  }
}

/// XML 1.0 has no control bytes, and a report is UTF-8 whatever a test's name holds.
std::string xml(std::string_view text) {
  std::string result;
  for (std::size_t end = 0; end != std::string_view::npos;
       text.remove_prefix(std::min(text.size(), end + 1))) {
    end = text.find('\n');
    if (!result.empty()) result += "&#10;";
    for (const char byte : diagnostics::printable(text.substr(0, end))) append_xml(result, byte);
  }
  return result;
}

std::string junit_case(const EngineResults& engine, const TestResult& result,
                       const source::SourceManager& sources) {
  std::string text =
      fmt::format("    <testcase classname=\"heddle.{}\" name=\"{}\" file=\"{}\"", engine.engine,
                  xml(result.block->name), xml(sources.name(result.block->span.file)));
  if (passed(result)) return text + "/>\n";
  const char* element = result.failures.empty() ? "error" : "failure";
  const std::string message = result.failures.empty() ? result.trouble->what
                                                      : "expected " + result.failures.front().expected +
                                                            ", happened: " + result.failures.front().happened;
  return text + fmt::format(">\n      <{0} message=\"{1}\">{2}</{0}>\n    </testcase>\n", element,
                            xml(message), xml(details(result, sources)));
}

}  // namespace

std::string render_test_results(const std::vector<EngineResults>& all, const source::SourceManager& sources) {
  std::string text;
  for (const EngineResults& engine : all) {
    for (const TestResult& result : engine.results) {
      text += fmt::format("{} {}\n{}", mark(result), diagnostics::printable(result.block->name),
                          details(result, sources));
    }
    const std::size_t good = count_passed(engine);
    const std::size_t count = engine.results.size();
    text += fmt::format("{} {}: {} passed, {} failed ({})\n", count, count == 1 ? "test" : "tests", good,
                        count - good, engine.engine);
  }
  return text;
}

std::string render_junit(const std::vector<EngineResults>& all, const source::SourceManager& sources) {
  std::string text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n";
  for (const EngineResults& engine : all) {
    const auto is_failure = [](const TestResult& result) { return !result.failures.empty(); };
    const auto failures = std::ranges::count_if(engine.results, is_failure);
    const auto count = static_cast<std::ptrdiff_t>(engine.results.size());
    const auto errors = count - failures - static_cast<std::ptrdiff_t>(count_passed(engine));
    text += fmt::format("  <testsuite name=\"heddle {}\" tests=\"{}\" failures=\"{}\" errors=\"{}\">\n",
                        engine.engine, count, failures, errors);
    for (const TestResult& result : engine.results) text += junit_case(engine, result, sources);
    text += "  </testsuite>\n";
  }
  return text + "</testsuites>\n";
}

}  // namespace heddle::cli
