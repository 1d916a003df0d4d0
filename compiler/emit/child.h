#pragma once

#include <functional>
#include <string>

namespace heddle::emit {

struct ChildResult {
  bool ok = false;
  std::string output;  // what the work returned, or said was wrong
};

/// Runs `work` in a forked child and brings back what it returns; `ok` is what it says, and false if it
/// crashed or aborted. Nothing that the work does to this process's memory stays.
ChildResult run_in_child(const std::function<ChildResult()>& work);

}  // namespace heddle::emit
