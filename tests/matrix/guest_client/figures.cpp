// `fast_path` of heddled's status, for a shell: NAME VALUE.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/matrix/guest_client/modes.h"

namespace heddle::matrix {

namespace {

std::string ask(const std::string& control, const std::string& request) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::copy_n(control.begin(), std::min(control.size(), sizeof address.sun_path - 1), address.sun_path);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::string answer;
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      ::send(fd, request.data(), request.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(request.size())) {
    char bytes[65536];
    for (ssize_t count = 0; (count = ::read(fd, bytes, sizeof bytes)) > 0;)
      answer.append(bytes, static_cast<std::size_t>(count));
  }
  ::close(fd);
  return answer;
}

}  // namespace

int figures(const Arguments& arguments) {
  const auto answer = nlohmann::json::parse(ask(arguments[0], "{\"op\": \"status\"}\n"), nullptr, false);
  if (!answer.is_object() || !answer.contains("status")) return 1;
  for (const auto& [name, value] : answer["status"]["fast_path"].items()) {
    const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    std::printf("%s %s\n", name.c_str(), text.c_str());
  }
  return 0;
}

}  // namespace heddle::matrix
