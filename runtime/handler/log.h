#pragma once

#include <string_view>

namespace heddle::handler {

/// One line on standard error, in one write and in the form of the supervisor's log: a worker has nothing
/// else to write to, and its supervisor's logger would ask for more than it may.
void log_line(std::string_view level, std::string_view text);

/// The same, at most once a second for one place.
class LimitedLog {
 public:
  void line(std::string_view level, std::string_view text);

 private:
  unsigned long long last_ms_ = 0;
  unsigned long long suppressed_ = 0;
};

}  // namespace heddle::handler
