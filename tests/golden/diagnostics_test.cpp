// Every diagnostic, as people see it: `heddle check` on a policy with that one mistake, compared byte by
// byte.
//
// tests/golden/diagnostics/<code>/ has the policy and `expected.txt`; base.mesh beside it completes the
// policy unless the folder has a file alone.mesh. HEDDLE_UPDATE_GOLDEN=1 writes the expectations anew; read
// the difference.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "compiler/diagnostics/diagnostic.h"
#include "compiler/diagnostics/pages.h"
#include "compiler/source/source_manager.h"
#include "tests/golden/run.h"

namespace heddle {
namespace {

namespace fs = std::filesystem;

const fs::path folder = fs::path(HEDDLE_SOURCE_DIR) / "tests/golden/diagnostics";

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void compare(const fs::path& expected, const std::string& output) {
  if (std::getenv("HEDDLE_UPDATE_GOLDEN") != nullptr) std::ofstream(expected, std::ios::binary) << output;
  ASSERT_TRUE(fs::exists(expected))
      << "no golden text: run this test once with HEDDLE_UPDATE_GOLDEN=1 and read what it wrote";
  EXPECT_EQ(output, read_file(expected)) << "differs from " << expected;
}

/// Mistakes of size are made here: nobody wants them in the repository.
std::string oversized_policy(const std::string& code) {
  if (code == "E0001") return "// " + std::string(source::max_file_bytes, 'x') + "\n";
  if (code != "E0601") return {};
  std::string text;
  for (int i = 0; i < 2000; ++i)
    text += "identity i" + std::to_string(i) + " = spiffe \"ns/i" + std::to_string(i) + "\"\n";
  return text + "access cart { allow from web }\n";
}

class Diagnostics : public testing::TestWithParam<const diagnostics::KindInfo*> {};

TEST_P(Diagnostics, LooksAsExpected) {
  const std::string code = GetParam()->code;
  const fs::path own = folder / code;
  ASSERT_TRUE(fs::is_directory(own)) << "diagnostic " << code << " has no golden test: make the folder "
                                     << own;
  // Whoever only looks is warned of what cannot be run.
  std::string arguments = (code == "E0602" ? "build --verify off -o none.bundle " : "check ") + code;
  std::string where = folder;
  if (const std::string made = oversized_policy(code); !made.empty()) {
    where = fs::path(testing::TempDir()) / ("golden_" + code);
    fs::create_directories(fs::path(where) / code);
    std::ofstream(fs::path(where) / code / "policy.mesh", std::ios::binary) << made;
    fs::copy_file(folder / "base.mesh", fs::path(where) / "base.mesh", fs::copy_options::overwrite_existing);
  }
  if (!fs::exists(own / "alone.mesh")) arguments += " base.mesh";
  const Outcome outcome = run_in(where, arguments);
  const bool is_error = GetParam()->severity == diagnostics::Severity::error;
  EXPECT_EQ(outcome.exit_code, is_error ? 1 : 0) << outcome.output;
  EXPECT_NE(outcome.output.find("[" + code + "]"), std::string::npos)
      << "the test does not show its diagnostic:\n"
      << outcome.output;
  compare(own / "expected.txt", outcome.output);
}

TEST_P(Diagnostics, HasAPage) {
  const auto page = diagnostics::find_page(GetParam()->code);
  ASSERT_TRUE(page.has_value()) << "no page docs/diagnostics/" << GetParam()->code << ".md";
  EXPECT_EQ(page->substr(0, 7 + 2), "# " + std::string(GetParam()->code) + ": ")
      << "a page begins with its code and a title";
  const Outcome explained = run_in(folder, std::string("explain ") + GetParam()->code);
  EXPECT_EQ(explained.exit_code, 0);
  EXPECT_EQ(explained.output, std::string(*page));
}

INSTANTIATE_TEST_SUITE_P(All, Diagnostics, testing::ValuesIn(diagnostics::all_kinds()), [](const auto& test) {
  return std::string(test.param->code) + "_" + test.param->name;
});

TEST(DiagnosticFolders, BelongToDeclaredKinds) {
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (!entry.is_directory() || entry.path().filename() == "five_mistakes") continue;
    EXPECT_NE(diagnostics::find_kind(entry.path().filename().string()), nullptr)
        << entry.path() << " tests nothing that is declared";
  }
  for (const auto& page : fs::directory_iterator(fs::path(HEDDLE_SOURCE_DIR) / "docs/diagnostics")) {
    EXPECT_NE(diagnostics::find_kind(page.path().stem().string()), nullptr)
        << page.path() << " is about nothing that is declared";
  }
}

TEST(FiveMistakes, InText) {
  const Outcome outcome = run_in(folder, "check five_mistakes");
  EXPECT_EQ(outcome.exit_code, 1);
  compare(folder / "five_mistakes/expected.txt", outcome.output);
}

TEST(FiveMistakes, InJson) {
  const Outcome outcome = run_in(folder, "check --format json five_mistakes");
  EXPECT_EQ(outcome.exit_code, 1);
  compare(folder / "five_mistakes/expected.json", outcome.output);
}

TEST(Explain, KnowsTheCodes) {
  const Outcome outcome = run_in(folder, "explain E9999");
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_EQ(outcome.output, "heddle: no diagnostic has the code `E9999`\n");
}

TEST(ExitCodes, OfCheck) {
  EXPECT_EQ(run_in(folder, "check --deny-warnings W0304 base.mesh").exit_code, 1);
  EXPECT_EQ(run_in(folder, "check no-such-folder").exit_code, 2);
  EXPECT_EQ(run_in(folder, "check").exit_code, 2);
  EXPECT_EQ(run_in(folder, "check --no-such-option x").exit_code, 2);
  EXPECT_EQ(run_in(folder, "check --format sarif W0304").exit_code, 2);
  EXPECT_EQ(run_in(folder, "chekc W0304").exit_code, 2);
  EXPECT_EQ(run_in(folder, "check --help").exit_code, 0);
}

TEST(Usage, SuggestsCommands) {
  EXPECT_EQ(run_in(folder, "chekc x").output,
            "heddle: no command is called `chekc`\n  help: did you mean `check`?\n");
}

}  // namespace
}  // namespace heddle
