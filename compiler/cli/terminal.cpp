#include "compiler/cli/terminal.h"

#include <unistd.h>

#include <cstdlib>
#include <string_view>

namespace heddle::cli {

namespace {

bool colour_on(int descriptor) {
  const char* no_color = std::getenv("NO_COLOR");
  if (no_color != nullptr && *no_color != '\0') return false;
  const char* term = std::getenv("TERM");
  if (term == nullptr || std::string_view(term) == "dumb") return false;
  return isatty(descriptor) == 1;
}

}  // namespace

bool colour_on_stdout() {
  return colour_on(STDOUT_FILENO);
}
bool colour_on_stderr() {
  return colour_on(STDERR_FILENO);
}

}  // namespace heddle::cli
