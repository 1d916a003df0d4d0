#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compiler/diagnostics/diagnostic.h"
#include "compiler/emit/filter.h"
#include "compiler/model/policy.h"
#include "compiler/plan/plan.h"
#include "compiler/source/source_manager.h"
#include "runtime/base/result.h"

/// What the compiler does, from paths to results; the stages of every command that takes PATH….
namespace heddle::cli {

/// Reads every `*.mesh` below the folders, and the files that are named themselves. Paths in messages are as
/// given, paths in bundles relative to the folder (or the file's own name). Symbolic links are followed to
/// files only.
Result<void> read_sources(const std::vector<std::string>& paths, source::SourceManager& sources);

/// A policy that was read, and everything that was said about it.
struct Checked {
  source::SourceManager sources;
  diagnostics::Sink sink;
  std::optional<model::Policy> policy;  // none: errors were reported
  std::optional<plan::Plan> plan;       // none: there is no policy, or this version cannot run it
  std::vector<emit::Filter> filters;    // of the policy, compiled
};

/// What the policy is for. Whatever this version cannot run of it is a warning for whoever checks, one warning for whoever
/// evaluates, and an error for whoever runs it.
enum class Use : std::uint8_t { check, evaluate, run };

Result<Checked> check_paths(const std::vector<std::string>& paths, Use use = Use::check);

/// For commands that need a right policy and do something else with it: check_paths, diagnostics printed to
/// standard error. On failure there is no policy and `exit_code` is what to return.
struct Loaded {
  Checked checked;
  int exit_code = 0;
};

Loaded load_policy(const std::vector<std::string>& paths, Use use = Use::evaluate);

}  // namespace heddle::cli
