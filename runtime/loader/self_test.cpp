#include "runtime/loader/self_test.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "runtime/base/fd.h"
#include "runtime/base/file.h"
#include "runtime/loader/trial.h"

namespace heddle::loader {
namespace {

constexpr int patience_seconds = 60;  // under emulation, with much else to do, it takes ten

/// What the child says, over a pipe: a reason, or none.
struct Answer {
  std::uint32_t own_references = 0;
  char reason[500] = {};
};

void run_trials(const std::string& cgroup, hd_fast_path landing, int out) {
  ::alarm(patience_seconds);
  Answer answer;
  const UniqueFd procs(::open((cgroup + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
  if (!procs || ::write(procs.get(), "0", 1) != 1) {
    std::snprintf(answer.reason, sizeof answer.reason, "cannot enter a cgroup for the test: %s", std::strerror(errno));
  } else {
    for (const int family : {AF_INET, AF_INET6}) {
      const Result<std::uint32_t> tried = Trial::run(cgroup, family, landing);
      if (tried && *tried != 0) answer.own_references = *tried;
      if (tried) continue;
      std::snprintf(answer.reason, sizeof answer.reason, "%s", tried.error().what.c_str());
      break;
    }
  }
  ::_exit(::write(out, &answer, sizeof answer) == sizeof answer ? 0 : 1);
}

/// The reason; without a word from the child, how it ended.
std::string read_answer(int from, pid_t child, std::uint32_t& own_references) {
  Answer answer;
  ssize_t count = 0;
  do {
    count = ::read(from, &answer, sizeof answer);
  } while (count < 0 && errno == EINTR);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (count == sizeof answer) {
    own_references = answer.own_references;
    return answer.reason;
  }
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM ? "the test of the fast path does not end"
                                                              : "the test of the fast path ended by itself";
}

std::string try_with(const std::string& root, hd_fast_path landing, std::uint32_t& own_references) {
  const std::string cgroup = root + "/heddled-self-test-" + std::to_string(::getpid());
  if (::mkdir(cgroup.c_str(), 0755) != 0) return "cannot make a cgroup for the test: " + std::string(std::strerror(errno));
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return "no pipe for the test";
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  const pid_t child = ::fork();
  if (child == 0) run_trials(cgroup, landing, write_end.get());
  write_end.reset();
  const std::string reason = child < 0 ? "no process for the test" : read_answer(read_end.get(), child, own_references);
  for (int i = 0; i < 100 && ::rmdir(cgroup.c_str()) != 0 && errno == EBUSY; ++i) ::usleep(10'000);
  return reason;
}

/// Without tracing nobody sees that a redirect found no memory. The programs stop where the kernel's pressure begins; what is
/// on its way at that moment must find room below the limit.
bool has_memory_reserve() {
  constexpr unsigned long least_pages = 1024;
  unsigned long low = 0;
  unsigned long pressure = 0;
  unsigned long limit = 0;
  const std::string text = read_text("/proc/sys/net/ipv4/tcp_mem");
  if (std::sscanf(text.c_str(), "%lu %lu %lu", &low, &pressure, &limit) != 3) return true;
  return limit >= pressure + least_pages;
}

}  // namespace

SelfTest test_fast_path(const std::string& cgroup_root) {
  SelfTest result;
  if (State::can_trace()) {
    result.reason = try_with(cgroup_root, HD_FAST_BY_TRACE, result.own_references);
    if (result.reason.empty()) result.landing = HD_FAST_BY_TRACE;
  }
  if (result.landing == HD_FAST_OFF && !has_memory_reserve()) {
    result.reason = "net.ipv4.tcp_mem ends where its pressure begins: bytes could be lost unseen";
  } else if (result.landing == HD_FAST_OFF) {
    const std::string reason = try_with(cgroup_root, HD_FAST_BY_REFERENCES, result.own_references);
    if (reason.empty()) result.landing = HD_FAST_BY_REFERENCES;
    if (!reason.empty()) result.reason = reason;
  }
  return result;
}

}  // namespace heddle::loader
