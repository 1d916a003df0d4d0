#pragma once

#include <filesystem>
#include <string>

/// Policies that the project has anyway, for the harnesses to begin with.
namespace heddle::fuzz {

/// A file of the project; it has to be there.
std::string read_source(const std::string& path);

/// All of the language reference that is policy: what can be run, or with what can only be evaluated.
std::string reference_policy(bool with_later);

}  // namespace heddle::fuzz
