#include "compiler/cli/test_report.h"

#include <fmt/format.h>

#include <map>
#include <string_view>

#include "compiler/cli/places.h"
#include "compiler/diagnostics/printable.h"

namespace heddle::cli {

namespace {

using eval::TestFailure;
using eval::TestResult;

bool passed(const TestResult& result) {
  return result.failures.empty() && result.unknown.empty() && !result.trouble;
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
  for (const TestFailure& unknown : result.unknown) {
    text += fmt::format("  {}: {}\n    unknown   {}\n", place_text(sources, unknown.send), words_of(sources, unknown.send),
                        unknown.happened);
  }
  if (result.trouble) {
    text += "  not decided by this engine: " + result.trouble->what + "\n";
    if (!result.trouble->help.empty()) text += "    help: " + result.trouble->help + "\n";
  }
  return text;
}

const char* mark(const TestResult& result) {
  if (passed(result)) return "ok   ";
  return result.failures.empty() ? "?    " : "FAIL ";
}

struct Counts {
  std::size_t passed = 0;
  std::size_t failed = 0;
  std::size_t undecided = 0;
};

Counts count(const EngineResults& engine) {
  Counts counts;
  for (const TestResult& result : engine.results) {
    ++(passed(result) ? counts.passed : result.failures.empty() ? counts.undecided : counts.failed);
  }
  return counts;
}

std::string counts_text(const EngineResults& engine) {
  const Counts counts = count(engine);
  const std::size_t all = engine.results.size();
  const std::string undecided =
      counts.undecided == 0 ? "" : fmt::format(", {} not decided", counts.undecided);
  return fmt::format("{} {}: {} passed, {} failed{} ({})\n", all, all == 1 ? "test" : "tests", counts.passed,
                     counts.failed, undecided, engine.engine);
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
  const std::string body = xml(details(result, sources));
  if (result.failures.empty()) {
    return text +
           fmt::format(">\n      <skipped message=\"{}\"/>\n    </testcase>\n",
                       xml(result.trouble ? result.trouble->what : result.unknown.front().happened));
  }
  const TestFailure& first = result.failures.front();
  const std::string message = xml("expected " + first.expected + ", happened: " + first.happened);
  return text +
         fmt::format(">\n      <failure message=\"{}\">{}</failure>\n    </testcase>\n", message, body);
}

}  // namespace

std::string render_test_results(const std::vector<EngineResults>& all, const source::SourceManager& sources) {
  std::string text;
  for (const EngineResults& engine : all) {
    for (const TestResult& result : engine.results) {
      const std::string name = diagnostics::printable(result.block->name);
      text += fmt::format("{} {}\n{}", mark(result), name, details(result, sources));
    }
    text += counts_text(engine);
  }
  return text;
}

std::string render_junit(const std::vector<EngineResults>& all, const source::SourceManager& sources) {
  std::string text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n";
  for (const EngineResults& engine : all) {
    const Counts counts = count(engine);
    text += fmt::format("  <testsuite name=\"heddle {}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\">\n",
                        engine.engine, engine.results.size(), counts.failed, counts.undecided);
    for (const TestResult& result : engine.results) text += junit_case(engine, result, sources);
    text += "  </testsuite>\n";
  }
  return text + "</testsuites>\n";
}

}  // namespace heddle::cli
