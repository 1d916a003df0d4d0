#pragma once

#include <string>

#include "compiler/eval/outcome.h"
#include "tests/differential/compiled.h"

namespace heddle::differential {

/// What differs between what the reference and the compiled function said of one request; empty if nothing
/// does.
std::string difference(const model::Policy& policy, const eval::Outcome& expected, const Compiled& compiled);

/// Bytes for a person: escapes for what does not print, a line of text per line of the head, long runs cut.
std::string printable_head(const std::string& head);

}  // namespace heddle::differential
