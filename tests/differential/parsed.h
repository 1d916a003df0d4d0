#pragma once

#include <optional>
#include <string>

#include "compiler/model/policy.h"
#include "compiler/source/source_manager.h"

namespace heddle::differential {

/// A policy from its text, by the front end that users have. The text was made to be right: a complaint is a
/// failure of the generator and ends the test.
struct Parsed {
  source::SourceManager sources;
  std::optional<model::Policy> policy;
  std::string complaint;
};
Parsed parse(const std::string& text);

}  // namespace heddle::differential
