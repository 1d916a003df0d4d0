#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "compiler/model/policy.h"
#include "tests/differential/cases.h"

namespace heddle::differential {

/// A file of tests/vectors.
std::string read_vectors(const std::string& name);

/// What a row of a table leaves unsaid.
struct Unsaid {
  std::string service;
  std::string host;
};

/// A row as a head, a caller and a destination. `<9>` in it stands for nine letters.
Case case_of(const nlohmann::json& row, const model::Policy& policy, const Unsaid& unsaid);
/// A row of tls.json or tcp.json: a name, or nothing, instead of a head.
Case connection_case_of(const nlohmann::json& row, const model::Policy& policy, const Unsaid& unsaid);
std::string head_of(const nlohmann::json& row, const Unsaid& unsaid);

}  // namespace heddle::differential
