#pragma once

#include <optional>
#include <string>

#include "compiler/eval/cursor.h"
#include "compiler/eval/refusal.h"

namespace heddle::eval {

/// The target of a request line in origin-form.
struct Target {
  std::string path;                      // from `/` to before `?`, as it came
  std::optional<std::string> query;      // without `?`; none: there is no `?`
  std::optional<std::string> authority;  // of an absolute-form target, as it came
};

/// Reads a target up to the space behind it, by `paths strict`: refuses by `mesh/path` what two readers could
/// take for two paths, and by `mesh/malformed` what is no target at all. `refusal` is set if there is no
/// result.
std::optional<Target> take_target(Cursor& cursor, Refusal& refusal);

}  // namespace heddle::eval
