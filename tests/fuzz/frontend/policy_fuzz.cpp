// Any bytes as a policy: a model if and only if there is no error, every place inside the file, and texts
// that a terminal can show.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "compiler/diagnostics/printable.h"
#include "compiler/diagnostics/render.h"
#include "compiler/eval/evaluator.h"
#include "compiler/eval/send.h"
#include "compiler/eval/test_run.h"
#include "compiler/plan/plan.h"
#include "compiler/sema/check.h"
#include "tests/fuzz/frontend/pages.h"
#include "tests/fuzz/harness.h"

namespace {

using namespace heddle;

void require(bool holds) {
  if (!holds) std::abort();
}

void require_inside(source::Span span, const source::SourceManager& sources) {
  require(span.file < sources.file_count());
  require(span.begin <= span.end && span.end <= sources.text(span.file).size());
}

/// No control characters but line ends, and nothing that is not UTF-8.
void require_printable(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) require(diagnostics::printable(line) == line);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  source::SourceManager sources;
  sources.add("policy.mesh", std::string(reinterpret_cast<const char*>(data), size));
  diagnostics::Sink sink;
  auto policy = sema::check(sources, sink);
  require(policy.has_value() == !sink.has_errors());
  for (const auto& diagnostic : sink.sorted(sources)) {
    require_inside(diagnostic.span, sources);
    for (const auto& label : diagnostic.labels) require_inside(label.span, sources);
  }
  require_printable(diagnostics::render_pretty(sink, sources, false));
  require(diagnostics::render_json(sink, sources).size() > 2);
  if (!policy) return 0;
  if (policy->not_built.empty()) plan::make_plan(*policy);
  eval::EvaluatorEngine engine(*policy);
  const eval::Evaluator evaluator(*policy);
  // As many requests as they name would be sent.
  for (const model::TestBlock& block : policy->tests) {
    const bool short_enough = std::all_of(block.cases.begin(), block.cases.end(), [](const auto& each) { return each.send.times < 100; });
    if (short_enough) eval::run_test(*policy, block, engine);
    for (const model::TestCase& test : block.cases) {
      for (const eval::Request& request : eval::make_requests(*policy, test.send).requests) {
        std::vector<eval::Step> trace;
        const eval::Outcome outcome = evaluator.explain(request, trace);
        require(!trace.empty() && !eval::outcome_text(*policy, outcome).empty());
      }
    }
  }
  return 0;
}

namespace heddle::fuzz {

std::vector<std::string> seeds() {
  // The reference once without what cannot be run, so that a plan is made of it.
  std::vector<std::string> result{reference_policy(true), reference_policy(false)};
  for (const char* name : {"tests/golden/diagnostics/base.mesh", "tests/golden/diagnostics/five_mistakes/alone.mesh", "tests/vectors/policy.mesh",
                           "tests/vectors/bypass.mesh"})
    result.push_back(read_source(name));
  // Every mistake that there is a word for, each in a small policy.
  const std::filesystem::path mistakes(HEDDLE_SOURCE_DIR "/tests/golden/diagnostics");
  std::set<std::filesystem::path> small;
  for (const auto& entry : std::filesystem::directory_iterator(mistakes)) {
    if (std::filesystem::exists(entry.path() / "policy.mesh")) small.insert(entry.path() / "policy.mesh");
  }
  require(small.size() > 100);
  const std::string base = read_source("tests/golden/diagnostics/base.mesh") + "\n";
  for (const std::filesystem::path& path : small) result.push_back(base + read_source(path));
  for (const char* name : {"tests/vectors/tls.mesh", "tests/golden/commands/shop.mesh", "tests/golden/commands/tests.mesh",
                           "tests/golden/commands/later.mesh", "tests/golden/commands/vault.mesh"})
    result.push_back(read_source(name));
  result.push_back(read_source("tests/golden/commands/shop.mesh") + read_source("tests/golden/commands/tests.mesh"));
  return result;
}

std::vector<std::string> words() {
  return {"{",         "}",       "(",          ")",         "[",      "]",        ",",       "->",
          "=",         "\"",      "\"/a\"",     "not ",      " and ",  " or ",     "from ",   "path ",
          "header ",   "\"x\" ",  "is ",        "in ",       "under ", "when ",    "split {", "50% v1, ",
          "otherwise", "respond", " 200 ",      "service ",  "route ", "access ",  "\nroute", "\nspace",
          "identity ", "any ",    "10.0.0.1:",  "[fd00::1]", ":80",    "99999999", "/a[b]/",  "///",
          "/*",        "*/",      "\\",         "\xC3\xBC",  "\n",     "label ",   "test ",   "send ",
          "expect ",   "via ",    "retry none", "100/s ",    "%",      "..",       "\x01",     "retry r { on reset at_most 1 retries budget 1% of requests }", "rewrite path ", "set header ",
          "claim ",    "jwt issuer \"i\" audience \"a\" jwks \"k\"", "mirror ", "fault abort 503 1%", "cors { origins [\"*\"] }"};
}

}  // namespace heddle::fuzz
