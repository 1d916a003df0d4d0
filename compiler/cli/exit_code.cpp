#include "compiler/cli/exit_code.h"

#include <iostream>

namespace heddle::cli {

int report_error(const Error& error) {
  std::cerr << "heddle: " << error.what << "\n";
  if (!error.help.empty()) std::cerr << "  help: " << error.help << "\n";
  return error.kind == ErrorKind::verifier ? exit_verifier : exit_usage;
}

}  // namespace heddle::cli
