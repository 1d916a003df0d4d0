#include "compiler/emit/child.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace heddle::emit {
namespace {

constexpr char mark_ok = '+';
constexpr char mark_failed = '-';

bool write_all(int fd, const char* data, std::size_t size) {
  while (size > 0) {
    const ssize_t written = write(fd, data, size);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    data += written;
    size -= static_cast<std::size_t>(written);
  }
  return true;
}

std::string read_all(int fd) {
  std::string out;
  std::array<char, 65536> buffer;
  for (;;) {
    const ssize_t got = read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return out;
    out.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

std::string how_it_ended(int status) {
  if (WIFSIGNALED(status)) return std::string("ended by signal: ") + strsignal(WTERMSIG(status));
  return "ended with exit code " + std::to_string(WEXITSTATUS(status));
}

[[noreturn]] void child_main(int fd, const std::function<ChildResult()>& work) {
  signal(SIGABRT, SIG_DFL);  // the parent reports, once
  const ChildResult result = work();
  const char mark = result.ok ? mark_ok : mark_failed;
  const bool written = write_all(fd, &mark, 1) && write_all(fd, result.output.data(), result.output.size());
  _exit(written ? 0 : 1);
}

}  // namespace

ChildResult run_in_child(const std::function<ChildResult()>& work) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return {false, std::string("pipe: ") + std::strerror(errno)};
  const pid_t child = fork();
  if (child < 0) {
    const int failure = errno;
    close(ends[0]);
    close(ends[1]);
    return {false, std::string("fork: ") + std::strerror(failure)};
  }
  if (child == 0) child_main(ends[1], work);
  close(ends[1]);
  std::string said = read_all(ends[0]);
  close(ends[0]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  const bool whole = WIFEXITED(status) && WEXITSTATUS(status) == 0 && !said.empty();
  if (!whole)
    return {false, "it " + how_it_ended(status) + (said.empty() ? "" : ": " + said.substr(1))};
  return {said.front() == mark_ok, said.substr(1)};
}

}  // namespace heddle::emit
