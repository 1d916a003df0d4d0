#pragma once

#include <vector>

#include "compiler/sema/analysis.h"

namespace heddle::sema {

/// What a `paths` of the mesh or of a service says; `otherwise` where none is written.
model::Paths check_paths(Analysis& analysis, const std::vector<ast::Paths>& written, const model::Paths& otherwise);

}  // namespace heddle::sema
