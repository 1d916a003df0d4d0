#pragma once

#include <cstdint>
#include <ctime>
#include <string>

namespace heddle {

/// Of seconds since 1970: `2026-12-01T10:00:00Z`.
inline std::string time_text(std::int64_t seconds) {
  const std::time_t time = seconds;
  std::tm parts{};
  char text[32];
  if (::gmtime_r(&time, &parts) == nullptr || std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0) return std::to_string(seconds);
  return text;
}

}  // namespace heddle
