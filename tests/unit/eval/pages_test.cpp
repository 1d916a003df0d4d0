// The policies of docs/policies.md: each is whole, without a warning, and its tests hold.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "compiler/eval/test_run.h"
#include "tests/unit/eval/policy.h"

namespace heddle::eval {
namespace {

std::vector<std::string> policies() {
  std::ifstream file(HEDDLE_SOURCE_DIR "/docs/policies.md");
  std::ostringstream text;
  text << file.rdbuf();
  const std::string page = text.str();
  const std::string fence = "```mesh\n";
  std::vector<std::string> blocks;
  for (std::size_t at = page.find(fence); at != std::string::npos; at = page.find(fence, at)) {
    at += fence.size();
    blocks.push_back(page.substr(at, page.find("```", at) - at));
  }
  return blocks;
}

TEST(Pages, PoliciesOfOtherMeshesHold) {
  const std::vector<std::string> all = policies();
  EXPECT_GE(all.size(), 30u);
  for (const std::string& text : all) {
    source::SourceManager sources;
    sources.add("policies.md", text);
    diagnostics::Sink sink;
    const auto checked = sema::check(sources, sink);
    EXPECT_TRUE(sink.empty()) << diagnostics::render_pretty(sink, sources, false) << text;
    ASSERT_TRUE(checked);
    EXPECT_FALSE(checked->tests.empty()) << text;
    EvaluatorEngine engine(*checked);
    for (const model::TestBlock& block : checked->tests) {
      for (const TestFailure& failure : run_test(*checked, block, engine).failures)
        ADD_FAILURE() << block.name << ": expected " << failure.expected << ", " << failure.happened << "\n" << text;
    }
  }
}

}  // namespace
}  // namespace heddle::eval
