#include "compiler/cli/agent_client.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "runtime/base/fd.h"
#include "runtime/base/file.h"

namespace heddle::cli {
namespace {

using Json = nlohmann::json;

Result<UniqueFd> connect_to(const std::string& control) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (control.empty() || control.size() >= sizeof(address.sun_path)) {
    return Error{ErrorKind::usage, "`" + control + "` cannot be the path of a socket", ""};
  }
  std::copy(control.begin(), control.end(), address.sun_path);
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return system_error("cannot make a socket", errno);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) return fd;
  if (errno == EACCES || errno == EPERM) {
    return Error{ErrorKind::permission, "not allowed to talk to `heddled` on `" + control + "`",
                 "use `sudo`, or join the group `heddle`"};
  }
  return Error{ErrorKind::not_found, "no `heddled` answers on `" + control + "`",
               "start it with `heddled --bundle FILE`, or give its socket with `--control`"};
}

Result<void> send_all(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t size = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return system_error("cannot talk to `heddled`", errno);
    bytes = bytes.subspan(static_cast<std::size_t>(size));
  }
  return {};
}

std::string receive_all(int fd) {
  std::string text;
  std::array<char, 65536> buffer;
  for (;;) {
    const ssize_t size = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(size));
  }
}

ErrorKind kind_of(const std::string& name) {
  constexpr std::array<std::pair<const char*, ErrorKind>, 7> kinds{{{"usage", ErrorKind::usage},
                                                                    {"not_found", ErrorKind::not_found},
                                                                    {"permission", ErrorKind::permission},
                                                                    {"invalid", ErrorKind::invalid},
                                                                    {"unsupported", ErrorKind::unsupported},
                                                                    {"verifier", ErrorKind::verifier},
                                                                    {"busy", ErrorKind::busy}}};
  const auto* found =
      std::find_if(kinds.begin(), kinds.end(), [&](const auto& kind) { return name == kind.first; });
  return found == kinds.end() ? ErrorKind::io : found->second;
}

}  // namespace

Result<Json> ask_agent(const std::string& control, Json request, std::span<const std::byte> payload) {
  Result<UniqueFd> fd = connect_to(control);
  if (!fd) return fd.error();
  request["size"] = payload.size();
  const std::string line = request.dump() + "\n";
  // An agent that refuses us answers before it has read everything: its answer says more than the failed
  // write.
  Result<void> sent = send_all(fd->get(), std::as_bytes(std::span(line)));
  if (sent) sent = send_all(fd->get(), payload);
  const Json answer = Json::parse(receive_all(fd->get()), nullptr, false);
  if (!answer.is_object() || !answer.contains("ok")) {
    if (!sent) return sent.error();
    return Error{ErrorKind::io, "`heddled` on `" + control + "` ended without an answer", "its log says why"};
  }
  if (answer["ok"] == true) return answer;
  const Json error = answer.value("error", Json::object());
  return Error{kind_of(error.value("kind", "")), error.value("what", "`heddled` refused"),
               error.value("help", "")};
}

Result<Json> ask_status(const std::string& control) {
  Result<Json> answer = ask_agent(control, {{"op", "status"}});
  if (!answer) return answer;
  return (*answer)["status"];
}

}  // namespace heddle::cli
