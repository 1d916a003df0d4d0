#pragma once

#include <string>

#include "runtime/base/result.h"

namespace heddle::agent {

/// The hooks know a connection of a workload again when it arrives at the handler's listener, and for that
/// the listener has to live below the governed root. An agent that was started elsewhere moves into a cgroup
/// of its own there, and back at its end.
class Home {
 public:
  static Result<Home> settle(const std::string& cgroup_root);
  Home(Home&& other) noexcept;
  Home& operator=(Home&&) = delete;
  ~Home();

 private:
  Home(std::string before, std::string made) : before_(std::move(before)), made_(std::move(made)) {}
  std::string before_;
  std::string made_;  // empty: we have stayed where we were
};

}  // namespace heddle::agent
