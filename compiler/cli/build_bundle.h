#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "compiler/cli/pipeline.h"
#include "compiler/emit/generate.h"
#include "runtime/bundle/bundle.h"

namespace heddle::cli {

/// From a checked policy to the bytes of its bundle: a function of sources and compiler alone. What the user
/// can mend was said by the check before; a failure here is a bug of ours and ends the process with its
/// report.
struct BuiltBundle {
  bundle::Bundle bundle;
  std::vector<std::byte> file;
};
BuiltBundle build_bundle(const Checked& checked);

/// One of LLVM's forms of a checked policy, for `--emit`.
std::string generate_text(const Checked& checked, emit::Product product);

}  // namespace heddle::cli
