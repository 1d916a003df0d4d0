#include "runtime/handler/log.h"

#include <unistd.h>

#include <cstdio>
#include <ctime>
#include <string>

#include "runtime/handler/io/event_loop.h"

namespace heddle::handler {

void log_line(std::string_view level, std::string_view text) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  tm utc{};
  ::gmtime_r(&now.tv_sec, &utc);
  char stamp[96];
  const int length =
      std::snprintf(stamp, sizeof stamp, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ %.*s worker pid=%d ",
                    utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                    now.tv_nsec / 1'000'000, static_cast<int>(level.size()), level.data(), ::getpid());
  std::string line(stamp, static_cast<std::size_t>(length));
  line.append(text).append("\n");
  // Where nobody reads the log any more, there is nobody to tell that either.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

void LimitedLog::line(std::string_view level, std::string_view text) {
  const unsigned long long now_ms = io::monotonic_ns() / 1'000'000;
  if (last_ms_ != 0 && now_ms - last_ms_ < 1000) {
    ++suppressed_;
    return;
  }
  std::string line(text);
  if (suppressed_ != 0) line += " (and " + std::to_string(suppressed_) + " more like it)";
  log_line(level, line);
  last_ms_ = now_ms;
  suppressed_ = 0;
}

}  // namespace heddle::handler
