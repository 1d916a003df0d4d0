#pragma once

#include <cstdint>

namespace heddle {

/// What a redirect says, a request, and the location that it gets. The evaluator and the handler make it by code of their
/// own (compiler/eval/answer.cpp, runtime/handler/http/location.cpp), and both tests go through this table.
struct LocationRow {
  bool https;
  const char* host;
  std::uint16_t port;
  const char* path;
  const char* prefix;
  const char* target;  // of the request, as it is sent
  const char* asked;   // its Host; null: HTTP/1.0 without it
  const char* location;
};

/// What was dialled is 10.96.0.12:9080.
inline constexpr LocationRow location_rows[] = {
    // The prefix, and one slash at the joint.
    {false, "", 0, "/b", "/a", "/a", "h", "http://h/b"},
    {false, "", 0, "/b", "/a", "/a/", "h", "http://h/b/"},
    {false, "", 0, "/b", "/a", "/a/x", "h", "http://h/b/x"},
    {false, "", 0, "/b", "/a", "/a/a/x/", "h", "http://h/b/a/x/"},
    {false, "", 0, "/b/c", "/a", "/a/x", "h", "http://h/b/c/x"},
    {false, "", 0, "/b", "/a/c", "/a/c/x", "h", "http://h/b/x"},
    {false, "", 0, "/", "/a", "/a", "h", "http://h/"},
    {false, "", 0, "/", "/a", "/a/", "h", "http://h/"},
    {false, "", 0, "/", "/a", "/a/x", "h", "http://h/x"},
    {false, "", 0, "/b", "/", "/", "h", "http://h/b/"},
    {false, "", 0, "/b", "/", "/x", "h", "http://h/b/x"},
    {true, "", 0, "/", "/", "/x", "h", "https://h/x"},
    {false, "", 0, "/b", "/caf%C3%A9", "/caf%c3%a9/x", "h", "http://h/b/x"},
    // The whole path.
    {false, "", 0, "/x", "", "/a/b", "h", "http://h/x"},
    {false, "", 0, "/", "", "/a/b", "h", "http://h/"},
    {false, "", 0, "/x/", "", "/", "h", "http://h/x/"},
    {false, "", 0, "/x%20y", "", "/a", "h", "http://h/x%20y"},
    // The query stays.
    {false, "", 0, "/x", "", "/a?q=1&r", "h", "http://h/x?q=1&r"},
    {false, "", 0, "/b", "/a", "/a?q=/a/", "h", "http://h/b?q=/a/"},
    {true, "", 0, "", "", "/?", "h", "https://h/?"},
    {true, "", 0, "", "", "/a?b?c", "h", "https://h/a?b?c"},
    // Scheme and port.
    {true, "", 0, "", "", "/a", "h", "https://h/a"},
    {true, "", 0, "", "", "/a", "h:8080", "https://h/a"},
    {true, "", 0, "", "", "/a", "h:80", "https://h/a"},
    {true, "", 8443, "", "", "/a", "h:80", "https://h:8443/a"},
    {true, "", 443, "", "", "/a", "h", "https://h/a"},
    {true, "", 80, "", "", "/a", "h", "https://h:80/a"},
    {false, "", 443, "", "", "/a", "h", "http://h:443/a"},
    {false, "", 80, "", "", "/a", "h:8080", "http://h/a"},
    {false, "", 8080, "", "", "/a", "h", "http://h:8080/a"},
    {false, "", 0, "/x", "", "/a", "h:8080", "http://h:8080/x"},
    {false, "", 0, "/x", "", "/a", "h:80", "http://h/x"},
    {false, "", 0, "/x", "", "/a", "h:00080", "http://h/x"},
    {false, "", 0, "/x", "", "/a", "h:0", "http://h:0/x"},
    {false, "", 0, "/x", "", "/a", "h:443", "http://h:443/x"},
    // The host.
    {false, "new", 0, "", "", "/a", "h:8080", "http://new/a"},
    {false, "new", 8080, "", "", "/a", "h", "http://new:8080/a"},
    {true, "new", 0, "/x", "", "/a?q", "h:8080", "https://new/x?q"},
    {false, "[fd00::1]", 0, "", "", "/a", "h", "http://[fd00::1]/a"},
    {false, "[fd00::1]", 8080, "", "", "/a", "h", "http://[fd00::1]:8080/a"},
    {true, "", 0, "", "", "/a", "Shop.Example", "https://Shop.Example/a"},
    {true, "", 0, "", "", "/a", "[FD00::5]", "https://[FD00::5]/a"},
    {true, "", 0, "", "", "/a", "[fd00::5]:8080", "https://[fd00::5]/a"},
    {false, "", 0, "/x", "", "/a", "[fd00::5]:8080", "http://[fd00::5]:8080/x"},
    {false, "", 0, "/x", "", "/a", "[fd00::80]", "http://[fd00::80]/x"},
    {false, "", 0, "/x", "", "/a", "[fd00::80]:80", "http://[fd00::80]/x"},
    {false, "", 0, "/x", "", "/a", "10.0.0.1:9080", "http://10.0.0.1:9080/x"},
    // Absolute-form.
    {false, "", 0, "/b", "/a", "http://h:8080/a/x?q", "h:8080", "http://h:8080/b/x?q"},
    {true, "", 0, "", "", "http://h", "h", "https://h/"},
    {true, "", 0, "", "", "http://H?q", "h", "https://h/?q"},
    // Nobody said which host.
    {false, "", 0, "/x", "", "/a?q", nullptr, "http://10.96.0.12:9080/x?q"},
    {true, "", 0, "", "", "/a", nullptr, "https://10.96.0.12/a"},
    {true, "", 8443, "", "", "/a", nullptr, "https://10.96.0.12:8443/a"},
    {false, "new", 0, "", "", "/a", nullptr, "http://new/a"},
};

}  // namespace heddle
