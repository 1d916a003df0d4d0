#pragma once

#include <optional>
#include <string>

#include "compiler/eval/cursor.h"
#include "compiler/eval/refusal.h"

namespace heddle::eval {

/// The target of a request line in origin-form.
struct Target {
  std::string path;                      // from `/` to before `?`, in its normal form
  std::optional<std::string> query;      // without `?`, in its normal form; none: there is no `?`
  std::optional<std::string> authority;  // of an absolute-form target, as it came
};

/// Reads a target up to the space behind it: refuses by `mesh/path` what two readers could take for two paths and
/// `paths` does not make one of, and by `mesh/malformed` what is no target at all. `refusal` is set if there is no
/// result.
std::optional<Target> take_target(Cursor& cursor, const model::Paths& paths, Refusal& refusal);

}  // namespace heddle::eval
