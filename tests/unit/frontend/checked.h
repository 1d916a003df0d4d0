#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "compiler/diagnostics/diagnostic.h"
#include "compiler/model/policy.h"
#include "compiler/source/source_manager.h"

namespace heddle::frontend {

/// A policy text and all that was said about it.
struct Checked {
  source::SourceManager sources;
  diagnostics::Sink sink;
  std::optional<model::Policy> policy;

  /// `E0109 wbe`: code and underlined bytes of every diagnostic, in order.
  [[nodiscard]] std::vector<std::string> found() const;
  /// The messages, for failures and for tests of wording.
  [[nodiscard]] std::vector<std::string> messages() const;
  [[nodiscard]] const model::Service& service(const std::string& name) const;
  [[nodiscard]] const model::Identity& identity(const std::string& name) const;
};

using Files = std::vector<std::pair<std::string, std::string>>;

Checked check(const std::string& text);
Checked check_files(const Files& files);

/// A mesh with identities `web` and `cart`, http service `cart` with subsets `v1`, `v2` and tcp service
/// `cache`, both with access rules but no route. What is appended completes or spoils it.
extern const std::string base;

/// `route cart { when <condition> -> v1 otherwise -> cart }` behind the base.
Checked check_condition(const std::string& condition);

}  // namespace heddle::frontend
