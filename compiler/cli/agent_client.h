#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "runtime/base/result.h"

namespace heddle::cli {

/// Where a running `heddled` listens unless it was told otherwise.
constexpr const char* default_control = "/run/heddle/control.sock";

/// Sends one request with its payload, and waits for the answer. What the agent refuses is an error like any
/// other.
Result<nlohmann::json> ask_agent(const std::string& control, nlohmann::json request,
                                 std::span<const std::byte> payload = {});

/// The `status` object of the agent.
Result<nlohmann::json> ask_status(const std::string& control);

}  // namespace heddle::cli
