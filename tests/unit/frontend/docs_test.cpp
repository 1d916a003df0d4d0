// The language reference says what is true: its examples are one right policy, its list of what is not built
// is complete.

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "compiler/eval/test_run.h"
#include "tests/unit/frontend/checked.h"

namespace heddle::frontend {
namespace {

std::string read_reference() {
  std::ifstream file(HEDDLE_SOURCE_DIR "/docs/language.md");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string examples(const std::string& page, const std::string& kind = "mesh") {
  const std::string fence = "```" + kind + "\n";
  std::string text;
  for (std::size_t at = page.find(fence); at != std::string::npos; at = page.find(fence, at)) {
    at += fence.size();
    text += page.substr(at, page.find("```", at) - at);
  }
  return text;
}

TEST(LanguageReference, ItsExamplesAreOneRightPolicy) {
  const Checked checked = check(examples(read_reference()));
  ASSERT_TRUE(checked.policy) << checked.messages().front();
  EXPECT_TRUE(checked.sink.empty());
  EXPECT_EQ(checked.policy->services.size(), 10u);
  EXPECT_EQ(checked.policy->tests.front().cases.size(), 2u);
}

// What is not run yet is right, too, and does what its tests say.
TEST(LanguageReference, ItsLaterExamplesAreRight) {
  const std::string page = read_reference();
  const Checked checked = check(examples(page) + examples(page, "mesh later"));
  ASSERT_TRUE(checked.policy) << checked.messages().front();
  EXPECT_FALSE(checked.policy->not_built.empty());
  eval::EvaluatorEngine engine(*checked.policy);
  for (const model::TestBlock& block : checked.policy->tests) {
    const eval::TestResult result = eval::run_test(*checked.policy, block, engine);
    for (const eval::TestFailure& failure : result.failures)
      ADD_FAILURE() << block.name << ": expected " << failure.expected << ", but " << failure.happened;
  }
}

// What the page lists as refused is what the front end refuses.
TEST(LanguageReference, ListsWhatIsRefused) {
  const std::string page = read_reference();
  const std::string list = page.substr(page.find("## Not built yet"));
  const std::vector<std::pair<std::string, std::string>> refused = {
      {"`assert`", "assert \"x\" { on every service when method is GET : allowed only from web }"},
  };
  // No construct of the grammar is refused that is not among them.
  std::ifstream file(HEDDLE_SOURCE_DIR "/docs/constructs.md");
  std::size_t rows = 0;
  for (std::string line; std::getline(file, line);) rows += line.ends_with("| – | – | – | – |") ? 1 : 0;
  EXPECT_EQ(rows, refused.size());
  for (const auto& [word, text] : refused) {
    EXPECT_NE(list.find(word), std::string::npos) << word;
    const std::vector<std::string> found = check(base + text).found();
    EXPECT_EQ(std::count_if(found.begin(), found.end(), [](const std::string& each) { return each.starts_with("E0013"); }), 1) << text;
  }
}

}  // namespace
}  // namespace heddle::frontend
