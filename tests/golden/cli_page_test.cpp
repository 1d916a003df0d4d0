// docs/cli.md against `--help`: the same commands, the same options, an example for each.

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace heddle {
namespace {

using Words = std::set<std::string>;

std::string output_of(const std::string& arguments) {
  const std::string command = "'" HEDDLE_BIN_DIR "/'" + arguments;
  std::string output;
  std::FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return output;
  char buffer[4096];
  for (std::size_t got = 0; (got = fread(buffer, 1, sizeof buffer, pipe)) > 0;) output.append(buffer, got);
  EXPECT_EQ(WEXITSTATUS(pclose(pipe)), 0) << command;
  return output;
}

/// Long options that are named as such: `--x` at the start of a line of help, or in backticks in a list of
/// the page.
Words matches(const std::string& text, const std::string& pattern) {
  Words found;
  const std::regex regex(pattern, std::regex::multiline);
  for (std::sregex_iterator it(text.begin(), text.end(), regex), end; it != end; ++it) found.insert((*it)[1]);
  return found;
}

/// Of `heddle`, or of a command that is nothing without another: `heddle ca`.
Words commands_of(const std::string& program) {
  return matches(output_of(program + " --help"), R"(^  ([a-z]+)   +[A-Z])");
}

/// Its own, and those of its commands.
Words options_of(const std::string& program) {
  Words options = matches(output_of(program + " --help"), R"(^  (?:-[a-z],)?(--[a-z-]+))");
  for (const std::string& command : commands_of(program)) options.merge(options_of(program + " " + command));
  options.erase("--help");
  options.erase("--version");
  return options;
}

std::string read_page() {
  std::ifstream file(HEDDLE_SOURCE_DIR "/docs/cli.md");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// The text below `## title`.
std::string section(const std::string& page, const std::string& title) {
  const std::size_t begin = page.find("\n## " + title + "\n");
  if (begin == std::string::npos) return {};
  return page.substr(begin, page.find("\n## ", begin + 1) - begin);
}

Words commands() {
  return commands_of("heddle");
}

TEST(CliPage, HasEveryCommand) {
  const Words described = matches(read_page(), R"(^## heddle ([a-z]+)$)");
  EXPECT_GE(described.size(), 12u);
  EXPECT_EQ(described, commands());
}

TEST(CliPage, HasEveryOption) {
  const std::string page = read_page();
  std::vector<std::string> programs = {"heddled"};
  for (const std::string& command : commands()) programs.push_back("heddle " + command);
  for (const std::string& program : programs) {
    const Words described = matches(section(page, program), R"(^\* (?:`-[a-z]`, )?`(--[a-z-]+))");
    EXPECT_EQ(described, options_of(program)) << program;
  }
}

TEST(Help, HasAnExample) {
  for (const std::string& command : commands()) {
    const std::string help = output_of("heddle " + command + " --help");
    EXPECT_TRUE(std::regex_search(help, std::regex("Example:\n  (sudo )?heddle " + command))) << help;
    for (const std::string& part : commands_of("heddle " + command)) {
      const std::string more = output_of("heddle " + command + " " + part + " --help");
      EXPECT_NE(more.find("Example:\n  heddle " + command + " " + part), std::string::npos) << more;
      EXPECT_NE(section(read_page(), "heddle " + command).find("`heddle " + command + " " + part + " "), std::string::npos) << part;
    }
  }
}

}  // namespace
}  // namespace heddle
