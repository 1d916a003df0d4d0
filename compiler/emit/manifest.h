#pragma once

#include <string>
#include <vector>

#include "compiler/emit/filter.h"
#include "compiler/emit/images.h"
#include "compiler/model/policy.h"
#include "compiler/plan/plan.h"
#include "compiler/source/source_manager.h"

namespace heddle::emit {

/// What a bundle says about itself, as JSON: a function of the sources and the compiler alone.
std::string make_manifest(const model::Policy& policy, const plan::Plan& plan,
                          const std::vector<Image>& images, const source::SourceManager& sources,
                          const std::string& compiler_version, const std::vector<Filter>& filters = {});

}  // namespace heddle::emit
