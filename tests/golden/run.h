#pragma once

#include <sys/wait.h>

#include <cstdio>
#include <filesystem>
#include <string>

namespace heddle {

struct Outcome {
  std::string output;  // both streams
  int exit_code = -1;
};

/// `heddle` with these arguments, as a shell reads them.
inline Outcome run_in(const std::filesystem::path& where, const std::string& arguments) {
  const std::string command =
      "cd '" + where.string() + "' && NO_COLOR=1 '" HEDDLE_BIN_DIR "/heddle' " + arguments + " 2>&1";
  Outcome outcome;
  std::FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return outcome;
  char buffer[4096];
  for (std::size_t got = 0; (got = fread(buffer, 1, sizeof buffer, pipe)) > 0;)
    outcome.output.append(buffer, got);
  outcome.exit_code = WEXITSTATUS(pclose(pipe));
  return outcome;
}

}  // namespace heddle
