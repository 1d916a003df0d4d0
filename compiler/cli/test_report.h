#pragma once

#include <string>
#include <vector>

#include "compiler/eval/test_run.h"
#include "compiler/source/source_manager.h"

namespace heddle::cli {

/// The results of all tests on one engine.
struct EngineResults {
  std::string engine;
  std::vector<eval::TestResult> results;
};

/// For people: a line per test, what was expected and what happened below those that failed.
std::string render_test_results(const std::vector<EngineResults>& all, const source::SourceManager& sources);

/// For CI servers: one JUnit `testsuite` per engine.
std::string render_junit(const std::vector<EngineResults>& all, const source::SourceManager& sources);

}  // namespace heddle::cli
