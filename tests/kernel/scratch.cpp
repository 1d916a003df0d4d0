#include "tests/kernel/scratch.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "runtime/loader/mounts.h"
#include "runtime/loader/requirements.h"

namespace heddle::test {
namespace {

namespace fs = std::filesystem;

bool join_cgroup(const std::string& cgroup) {
  std::ofstream procs(cgroup + "/cgroup.procs");
  procs << "0" << std::flush;
  return procs.good();
}

pid_t fork_in(const std::string& cgroup, const std::function<int()>& work) {
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (!cgroup.empty() && !join_cgroup(cgroup)) ::_exit(250);
  ::_exit(work());
}

int wait_for(pid_t pid) {
  int status = 0;
  if (pid <= 0 || ::waitpid(pid, &status, 0) != pid) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

void remove_tree(const fs::path& folder) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.is_directory(error)) remove_tree(entry.path());
  }
  // A process that has just ended may still be leaving.
  eventually([&] { return ::rmdir(folder.c_str()) == 0 || errno == ENOENT; });
}

/// An AF_INET6 socket address for both families when `mapped`.
socklen_t address_of(const std::string& text, std::uint16_t port, bool mapped, sockaddr_storage& out) {
  auto* v4 = reinterpret_cast<sockaddr_in*>(&out);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&out);
  if (!mapped && ::inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    return sizeof(*v4);
  }
  ::inet_pton(AF_INET6, (mapped ? "::ffff:" + text : text).c_str(), &v6->sin6_addr);
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(port);
  return sizeof(*v6);
}

}  // namespace

bool privileged() {
  const Result<void> machine = loader::check_machine();
  if (machine) return true;
  std::fprintf(stderr, "SKIPPED: %s\n", machine.error().what.c_str());
  const char* ci = std::getenv("CI");
  EXPECT_FALSE(ci != nullptr && std::strcmp(ci, "true") == 0) << machine.error().what;
  return false;
}

ScratchRoot::ScratchRoot() {
  static std::atomic<int> number{0};
  const Result<std::string> mount = loader::find_cgroup2();
  if (!mount) {
    ADD_FAILURE() << mount.error().what;
    return;
  }
  path_ = *mount + "/heddle-test-" + std::to_string(::getpid()) + "-" + std::to_string(++number);
  EXPECT_TRUE(fs::create_directory(path_));
}

ScratchRoot::~ScratchRoot() {
  if (!path_.empty()) remove_tree(path_);
}

std::string ScratchRoot::make(const std::string& below) const {
  fs::create_directories(path_ + "/" + below);
  return path_ + "/" + below;
}

void ScratchRoot::remove(const std::string& below) const {
  remove_tree(path_ + "/" + below);
}

int run_in(const std::string& cgroup, const std::function<int()>& work) {
  return wait_for(fork_in(cgroup, work));
}

Child::Child(const std::string& cgroup, const std::function<int()>& work) : pid_(fork_in(cgroup, work)) {}

Child::~Child() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  wait();
}

int Child::wait() {
  const int result = wait_for(pid_);
  pid_ = -1;
  return result;
}

int dial(const std::string& address, std::uint16_t port, int* fd, bool mapped) {
  sockaddr_storage to{};
  const socklen_t size = address_of(address, port, mapped, to);
  const int socket = ::socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int result = ::connect(socket, reinterpret_cast<sockaddr*>(&to), size) == 0 ? 0 : errno;
  if (fd != nullptr) {
    *fd = socket;
  } else {
    ::close(socket);
  }
  return result;
}

std::string peer_of(int fd) {
  sockaddr_storage peer{};
  socklen_t size = sizeof(peer);
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) != 0) return std::strerror(errno);
  char text[INET6_ADDRSTRLEN] = "";
  if (peer.ss_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&peer);
    ::inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text));
    return std::string(text) + ":" + std::to_string(ntohs(v4->sin_port));
  }
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&peer);
  ::inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text));
  return "[" + std::string(text) + "]:" + std::to_string(ntohs(v6->sin6_port));
}

Greeter::Greeter(const std::string& address, const std::string& greeting) {
  sockaddr_storage at{};
  socklen_t size = address_of(address, 0, false, at);
  listener_ = ::socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&at), size), 0);
  EXPECT_EQ(::listen(listener_, 128), 0);
  ::getsockname(listener_, reinterpret_cast<sockaddr*>(&at), &size);
  port_ = ntohs(reinterpret_cast<sockaddr_in*>(&at)->sin_port);
  pid_ = fork_in("", [this, greeting] {
    for (;;) {
      const int client = ::accept(listener_, nullptr, nullptr);
      if (client < 0) return 1;
      static_cast<void>(::send(client, greeting.data(), greeting.size(), MSG_NOSIGNAL));
      ::close(client);
    }
    return 0;
  });
}

Greeter::~Greeter() {
  ::kill(pid_, SIGKILL);
  wait_for(pid_);
  ::close(listener_);
}

std::string read_all(int fd) {
  std::string text;
  char buffer[4096];
  for (ssize_t size = 0; (size = ::read(fd, buffer, sizeof(buffer))) > 0;)
    text.append(buffer, static_cast<std::size_t>(size));
  return text;
}

bool eventually(const std::function<bool()>& done, int milliseconds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
  while (!done()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace heddle::test
