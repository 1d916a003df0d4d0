#include "runtime/agent/control.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "runtime/base/file.h"
#include "runtime/bundle/bundle.h"

namespace heddle::agent {
namespace {

constexpr const char* group_name = "heddle";
constexpr std::size_t line_limit = 4096;
constexpr std::size_t clients_limit = 64;
constexpr int answer_patience_ms = 2000;

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return Error{ErrorKind::usage,
                 "`" + path + "` cannot be the path of a socket: it has to have 1 to 107 bytes", ""};
  }
  std::copy(path.begin(), path.end(), address.sun_path);
  return address;
}

/// A socket that an agent left when it was killed; nothing else is ever removed.
Result<void> remove_stale(const std::string& path, const sockaddr_un& address) {
  struct stat info{};
  if (::lstat(path.c_str(), &info) != 0) return {};
  if (!S_ISSOCK(info.st_mode))
    return Error{ErrorKind::usage, "`" + path + "` is there, and no socket",
                 "`--control` takes another path"};
  const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
    return Error{ErrorKind::busy, "another `heddled` listens on `" + path + "`",
                 "`heddle detach` ends it; `--control` takes another path"};
  }
  if (::unlink(path.c_str()) != 0) return system_error("cannot replace `" + path + "`", errno);
  return {};
}

bool is_in_group(gid_t group, const ucred& peer, int fd) {
  if (peer.gid == group) return true;
  std::array<gid_t, 256> groups{};
  socklen_t size = sizeof(groups);
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size) != 0) return false;
  const auto end = groups.begin() + static_cast<std::ptrdiff_t>(size / sizeof(gid_t));
  return std::find(groups.begin(), end, group) != end;
}

/// The mode of the socket says the same; a peer that got the socket by another way is asked again.
bool may_ask(int fd) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  if (peer.uid == 0 || peer.uid == ::geteuid()) return true;
  const group* entry = ::getgrnam(group_name);
  return entry != nullptr && is_in_group(entry->gr_gid, peer, fd);
}

const char* kind_name(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::usage:
      return "usage";
    case ErrorKind::not_found:
      return "not_found";
    case ErrorKind::permission:
      return "permission";
    case ErrorKind::io:
      return "io";
    case ErrorKind::invalid:
      return "invalid";
    case ErrorKind::unsupported:
      return "unsupported";
    case ErrorKind::verifier:
      return "verifier";
    case ErrorKind::busy:
      return "busy";
  }
  return "io";
}

}  // namespace

Control::Json Control::failure(const Error& error) {
  return {{"ok", false},
          {"error", {{"kind", kind_name(error.kind)}, {"what", error.what}, {"help", error.help}}}};
}

Result<std::unique_ptr<Control>> Control::listen(Loop& loop, const std::string& path, Handle handle) {
  Result<sockaddr_un> address = address_of(path);
  if (!address) return address.error();
  if (Result<void> removed = remove_stale(path, *address); !removed) return removed.error();
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const mode_t before = ::umask(0777);  // nobody may connect before the mode is right
  const int bound = ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(*address));
  const int number = errno;
  ::umask(before);
  if (bound != 0) {
    Error error = system_error("cannot make the control socket `" + path + "`", number);
    if (number == ENOENT) error.help = "make its folder first, or give another path with `--control`";
    return error;
  }
  if (const group* entry = ::getgrnam(group_name); entry != nullptr) {
    if (::chown(path.c_str(), static_cast<uid_t>(-1), entry->gr_gid) != 0)
      return system_error("cannot give `" + path + "` to the group `heddle`", errno);
  }
  if (::chmod(path.c_str(), 0660) != 0 || ::listen(fd.get(), 64) != 0)
    return system_error("cannot listen on `" + path + "`", errno);
  std::unique_ptr<Control> control(new Control(loop, path, std::move(fd), std::move(handle)));
  Result<void> watched = loop.watch(control->listener_.get(), [raw = control.get()] { raw->accept(); });
  if (!watched) return watched.error();
  return control;
}

Control::~Control() {
  for (auto& [fd, client] : clients_) loop_.forget(fd);
  loop_.forget(listener_.get());
  ::unlink(path_.c_str());
}

void Control::accept() {
  UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd) return;
  const int number = fd.get();
  Client client;
  client.fd = std::move(fd);
  if (!may_ask(number)) {
    answer(client, failure({ErrorKind::permission, "only root and the group `heddle` may talk to `heddled`",
                            "use `sudo`, or `usermod -aG heddle USER`"}));
    return;
  }
  if (clients_.size() >= clients_limit) return;
  if (loop_.watch(number, [this, number] { read(number); })) clients_.emplace(number, std::move(client));
}

void Control::read(int fd) {
  Client& client = clients_.at(fd);
  std::array<char, 65536> buffer;
  for (;;) {
    const ssize_t size = ::read(fd, buffer.data(), buffer.size());
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (size > 0 && take(client, {buffer.data(), static_cast<std::size_t>(size)})) continue;
    loop_.forget(fd);
    clients_.erase(fd);
    return;
  }
}

bool Control::take(Client& client, std::span<const char> bytes) {
  if (!client.has_line) {
    const auto end = std::find(bytes.begin(), bytes.end(), '\n');
    client.line.append(bytes.begin(), end);
    if (client.line.size() > line_limit) return false;
    if (end == bytes.end()) return true;
    bytes = bytes.subspan(static_cast<std::size_t>(end - bytes.begin()) + 1);
    if (!begin(client)) return false;
  }
  const std::size_t missing = client.expected - client.payload.size();
  const auto part = std::as_bytes(bytes.first(std::min(missing, bytes.size())));
  client.payload.insert(client.payload.end(), part.begin(), part.end());
  if (client.payload.size() < client.expected) return true;
  answer(client, handle_(client.request, client.payload));
  return false;
}

bool Control::begin(Client& client) {
  client.has_line = true;
  client.request = Json::parse(client.line, nullptr, false);
  const Error wrong{ErrorKind::usage, "a request is one line with a JSON object", ""};
  if (!client.request.is_object()) {
    answer(client, failure(wrong));
    return false;
  }
  const auto size = client.request.find("size");
  if (size == client.request.end()) return true;
  if (!size->is_number_unsigned() || size->get<std::uint64_t>() > bundle::file_limit) {
    answer(client, failure(wrong));
    return false;
  }
  client.expected = size->get<std::size_t>();
  return true;
}

void Control::answer(Client& client, const Json& answer) {
  const std::string text = answer.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t size = ::send(client.fd.get(), text.data() + done, text.size() - done, MSG_NOSIGNAL);
    if (size >= 0) {
      done += static_cast<std::size_t>(size);
      continue;
    }
    pollfd polled{client.fd.get(), POLLOUT, 0};
    if (errno != EAGAIN || ::poll(&polled, 1, answer_patience_ms) <= 0) return;
  }
}

}  // namespace heddle::agent
