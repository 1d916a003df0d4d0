#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>

/// Cgroups and processes that a test makes and takes away again.
namespace heddle::test {

/// Ends the test binary loudly if it cannot use BPF: with CI=true as a failure.
bool privileged();

/// A folder of its own below the mount of cgroup v2, removed with everything below it at the end.
class ScratchRoot {
 public:
  ScratchRoot();
  ~ScratchRoot();
  ScratchRoot(const ScratchRoot&) = delete;
  ScratchRoot& operator=(const ScratchRoot&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }
  /// Makes `below` with its parents; returns the absolute folder.
  std::string make(const std::string& below) const;
  void remove(const std::string& below) const;

 private:
  std::string path_;
};

/// Runs `work` in a child process that lives in `cgroup`; its result (0 to 255).
int run_in(const std::string& cgroup, const std::function<int()>& work);

/// A child process in `cgroup`, ended and waited for with this.
class Child {
 public:
  Child(const std::string& cgroup, const std::function<int()>& work);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  int wait();
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
};

/// errno of a connect, 0 if it worked; `fd` gets the socket if given.
int dial(const std::string& address, std::uint16_t port, int* fd = nullptr, bool mapped = false);

/// `address:port` that getpeername shows.
std::string peer_of(int fd);

/// Listens on loopback and greets everybody who connects, before they say anything.
class Greeter {
 public:
  Greeter(const std::string& address, const std::string& greeting);
  ~Greeter();
  Greeter(const Greeter&) = delete;
  Greeter& operator=(const Greeter&) = delete;
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  int listener_ = -1;
  pid_t pid_ = -1;
  std::uint16_t port_ = 0;
};

/// Everything that comes until the peer closes.
std::string read_all(int fd);

/// Waits until `done`, looked at every millisecond, for at most `milliseconds`.
bool eventually(const std::function<bool()>& done, int milliseconds = 2000);

}  // namespace heddle::test
