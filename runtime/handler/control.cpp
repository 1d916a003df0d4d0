#include "runtime/handler/control.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace heddle::handler {

namespace {

constexpr std::size_t fds_max = start_fds;

void take_fds(const msghdr& header, std::vector<UniqueFd>& fds) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr;
       part = CMSG_NXTHDR(const_cast<msghdr*>(&header), part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
      fds.emplace_back(fd);
    }
  }
}

}  // namespace

ControlState Control::receive(Received& received) {
  iovec bytes{&received.message, sizeof received.message};
  alignas(cmsghdr) char rights[CMSG_SPACE(fds_max * sizeof(int))];
  msghdr header{};
  header.msg_iov = &bytes;
  header.msg_iovlen = 1;
  header.msg_control = rights;
  header.msg_controllen = sizeof rights;
  ssize_t count = 0;
  do {
    count = ::recvmsg(fd_.get(), &header, MSG_CMSG_CLOEXEC);
  } while (count < 0 && errno == EINTR);
  if (count < 0 && errno == EAGAIN) return ControlState::nothing;
  if (count < 0) return ControlState::closed;
  received.fds.clear();
  take_fds(header, received.fds);
  const bool whole = count == sizeof received.message && (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0;
  return whole ? ControlState::message : ControlState::closed;
}

bool Control::send(const Message& message) {
  return ::send(fd_.get(), &message, sizeof message, MSG_NOSIGNAL) == sizeof message;
}

void Control::set_non_blocking() {
  const int flags = ::fcntl(fd_.get(), F_GETFL);
  if (flags >= 0) ::fcntl(fd_.get(), F_SETFL, flags | O_NONBLOCK);
}

}  // namespace heddle::handler
