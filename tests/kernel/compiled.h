#pragma once

#include <memory>
#include <string>

#include "compiler/emit/filter.h"
#include "compiler/model/policy.h"
#include "compiler/plan/plan.h"
#include "runtime/loader/decide_session.h"

namespace heddle::test {

/// A model through plan, LLVM and bundle, opened again as the agent would.
bundle::Opened compile(const model::Policy& policy, const plan::CodeBounds& bounds = {},
                       const std::vector<emit::Filter>& filters = {});

/// The same, loaded into the running kernel; fails the test that calls it.
std::unique_ptr<loader::DecideSession> load(const model::Policy& policy, const plan::CodeBounds& bounds = {},
                                            const loader::Place& place = {}, const std::vector<emit::Filter>& filters = {});

model::SocketAddress address(const std::string& ip, std::uint16_t port);
loader::SocketAddress dialled(const model::SocketAddress& address);

}  // namespace heddle::test
