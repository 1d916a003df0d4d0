#include "runtime/agent/network.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <thread>

#include "runtime/base/file.h"

namespace heddle::agent {
namespace {

/// A thread's namespace is its own: no other thread is taken along.
Result<void> run_in(const Network& network, const std::function<void()>& task) {
  int error = 0;
  const auto enter = [&] {
    if (::setns(network.fd.get(), CLONE_NEWNET) != 0) {
      error = errno;
      return;
    }
    task();
  };
  try {
    std::thread(enter).join();
  } catch (const std::system_error& none) {
    error = none.code().value();
  }
  if (error != 0) return system_error("cannot enter its network namespace", error);
  return {};
}

}  // namespace

std::optional<Network> Network::open(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info{};
  if (!fd || ::fstat(fd.get(), &info) != 0) return std::nullopt;
  return Network{std::move(fd), info.st_ino};
}

std::string Network::path_of(std::uint32_t process, std::uint32_t thread) {
  return "/proc/" + std::to_string(process) + "/task/" + std::to_string(thread) + "/ns/net";
}

std::uint64_t find_network(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 ? info.st_ino : 0;
}

std::vector<std::string> named_networks() {
  std::vector<std::string> paths;
  for (const char* folder : {"/run/netns", "/run/docker/netns"}) {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(folder, error)) paths.push_back(entry.path());
  }
  return paths;
}

Visit make_listeners_in(const Network& network, std::size_t workers, hd_listener liked) {
  Visit visit;
  const Result<void> entered = run_in(network, [&] {
    const Result<std::uint64_t> cookie = find_netns_cookie();
    if (cookie) visit.cookie = *cookie;
    visit.listeners = Listeners::make(workers, liked);
  });
  if (!entered) visit.listeners = entered.error();
  return visit;
}

std::uint64_t find_cookie_of(const Network& network) {
  std::uint64_t found = 0;
  const Result<void> entered = run_in(network, [&found] {
    const Result<std::uint64_t> cookie = find_netns_cookie();
    if (cookie) found = *cookie;
  });
  return entered ? found : 0;
}

}  // namespace heddle::agent
