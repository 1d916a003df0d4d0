#include "runtime/agent/worker_process.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string>

#include "runtime/base/file.h"

namespace heddle::agent {
namespace {

constexpr int worker_control = 3;
constexpr std::size_t fds_max = handler::start_fds;

[[noreturn]] void give_up(const char* what) {
  std::fprintf(stderr, "heddled: worker cannot %s: %s\n", what, std::strerror(errno));
  ::_exit(2);
}

/// The order matters: each step takes away what the one before needed.
void drop_privilege(const WorkerUser& user) {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  for (int capability = 0; ::prctl(PR_CAPBSET_READ, capability) >= 0; ++capability) {
    if (::prctl(PR_CAPBSET_DROP, capability) != 0 && errno != EINVAL) give_up("drop capabilities");
  }
  if (::setgroups(0, nullptr) != 0 || ::setresgid(user.group, user.group, user.group) != 0 ||
      ::setresuid(user.user, user.user, user.user) != 0) {
    give_up("become another user");
  }
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> none{};
  if (::syscall(SYS_capset, &header, none.data()) != 0) give_up("drop capabilities");
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) give_up("renounce new privileges");
  // After the change of user, which clears it.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/// Becomes `heddled --worker 3`. By descriptor: the worker's user may not see the folder that the program
/// lies in.
[[noreturn]] void become_worker(const WorkerUser& user, int control, int program) {
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGINT, SIG_IGN);  // Ctrl-C is for the supervisor, which ends us in its order
  ::signal(SIGHUP, SIG_IGN);
  const int in = ::open("/dev/null", O_RDONLY);
  if (in >= 0) ::dup2(in, 0);
  ::dup2(2, 1);
  // dup2 on itself would leave close-on-exec set.
  const int own = ::fcntl(control, F_DUPFD_CLOEXEC, 16);
  const int image = ::fcntl(program, F_DUPFD_CLOEXEC, 16);
  if (own < 0 || image < 0 || ::dup2(own, worker_control) < 0) give_up("pass its socket on");
  ::syscall(SYS_close_range, worker_control + 1, ~0U, 4 /* CLOSE_RANGE_CLOEXEC */);
  drop_privilege(user);
  std::string name = "heddled";
  std::string flag = "--worker";
  std::string number = std::to_string(worker_control);
  std::array<char*, 4> arguments{name.data(), flag.data(), number.data(), nullptr};
  std::array<char*, 1> environment{nullptr};
  ::syscall(SYS_execveat, image, "", arguments.data(), environment.data(), AT_EMPTY_PATH);
  give_up("start its program");
}

}  // namespace

Result<WorkerUser> find_worker_user() {
  for (const char* name : {"heddle-worker", "nobody"}) {
    const passwd* entry = ::getpwnam(name);
    if (entry != nullptr && entry->pw_uid != 0) return WorkerUser{entry->pw_uid, entry->pw_gid};
  }
  return Error{ErrorKind::unsupported,
               "there is no user `heddle-worker` and no user `nobody` for the handler's processes",
               "`useradd --system --shell /usr/sbin/nologin heddle-worker`"};
}

Result<WorkerProcess> WorkerProcess::spawn(const WorkerUser& user) {
  std::array<int, 2> pair{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()) != 0) {
    return system_error("cannot make a socket for a worker", errno);
  }
  UniqueFd ours(pair[0]);
  // A worker that starts is given everything at once: up to a message for each network namespace.
  const int room = 4 << 20;
  ::setsockopt(ours.get(), SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
  const UniqueFd theirs(pair[1]);
  const UniqueFd program(::open("/proc/self/exe", O_PATH | O_CLOEXEC));
  if (!program) return system_error("cannot find the own program in /proc", errno);
  const pid_t pid = ::fork();
  if (pid < 0) return system_error("cannot start a worker", errno);
  if (pid == 0) become_worker(user, theirs.get(), program.get());
  return WorkerProcess(pid, std::move(ours));
}

Result<void> WorkerProcess::send(const handler::Message& message, const std::vector<int>& fds) const {
  handler::Message copy = message;
  iovec part{&copy, sizeof(copy)};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * fds_max)> space{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (!fds.empty()) {
    header.msg_control = space.data();
    header.msg_controllen = CMSG_SPACE(sizeof(int) * fds.size());
    cmsghdr* control = CMSG_FIRSTHDR(&header);
    control->cmsg_level = SOL_SOCKET;
    control->cmsg_type = SCM_RIGHTS;
    control->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
    std::memcpy(CMSG_DATA(control), fds.data(), sizeof(int) * fds.size());
  }
  if (::sendmsg(control_.get(), &header, MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof(copy)) return {};
  return system_error("cannot talk to worker " + std::to_string(pid_), errno);
}

Result<std::optional<handler::Message>> WorkerProcess::receive() const {
  handler::Message message{};
  const ssize_t size = ::recv(control_.get(), &message, sizeof(message), MSG_DONTWAIT);
  if (size == sizeof(message)) return std::optional(message);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return std::optional<handler::Message>();
  return Error{ErrorKind::io, "worker " + std::to_string(pid_) + " has gone", ""};
}

void WorkerProcess::kill() const {
  ::kill(pid_, SIGKILL);
}

std::string WorkerProcess::reap() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status)) return "ended by signal " + std::to_string(WTERMSIG(status));
  return "ended with " + std::to_string(WEXITSTATUS(status));
}

}  // namespace heddle::agent
