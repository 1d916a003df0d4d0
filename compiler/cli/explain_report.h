#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "compiler/eval/request.h"
#include "compiler/eval/world.h"
#include "compiler/model/policy.h"
#include "compiler/source/source_manager.h"

namespace heddle::cli {

struct Explained {
  std::string text;
  bool unknown = false;  // it depends on filters: the text has what happens with each of their answers
};

/// The decision on one request, step by step. Without a draw, every part of a split is shown. `agent` is
/// where it is decided.
Explained render_decision(const model::Policy& policy, const source::SourceManager& sources,
                            const eval::Request& request, std::optional<std::uint64_t> draw,
                            const eval::Place& agent);

/// Every rule and where it is decided, with the reason.
std::string render_placement(const model::Policy& policy, const source::SourceManager& sources);

}  // namespace heddle::cli
