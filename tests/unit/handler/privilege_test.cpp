#include "runtime/handler/privilege.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <functional>

namespace heddle::handler {
namespace {

constexpr std::uint32_t nobody = 65534;

/// Status of a child that gave up its privileges and did `work`.
int in_worker(const std::function<int()>& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (!drop_privileges(nobody, nobody)) ::_exit(100);
    if (!restrict_system_calls()) ::_exit(101);
    ::_exit(work());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

int exit_status(const std::function<int()>& work) {
  const int status = in_worker(work);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/// errno of a call in a worker.
int error_of(const std::function<long()>& call) {
  return exit_status([&call] { return call() < 0 ? errno : 0; });
}

class Privilege : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "only root has privileges to give up";
  }
};

TEST_F(Privilege, NoneIsLeftAndNoneComesBack) {
  EXPECT_EQ(error_of([] { return ::syscall(SYS_setgid, 0); }), EPERM);
  EXPECT_EQ(error_of([] { return ::open("/etc/shadow", O_RDONLY); }), EPERM);
}

TEST_F(Privilege, ItIsAnotherUser) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (!drop_privileges(nobody, nobody)) ::_exit(100);
    const bool stranger = ::getuid() == nobody && ::geteuid() == nobody && ::getgid() == nobody;
    // Not even by a program that is somebody else's with the right to be him.
    const bool for_good = ::setresuid(0, 0, 0) != 0 && ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
    ::_exit(stranger && for_good ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST_F(Privilege, RootIsRefused) {
  EXPECT_FALSE(drop_privileges(0, 0));
  EXPECT_FALSE(drop_privileges(nobody, 0));
}

TEST_F(Privilege, WhatServingDoesNotTakeFails) {
  EXPECT_EQ(error_of([] { return ::open("/dev/null", O_RDONLY); }), EPERM);
  EXPECT_EQ(error_of([] { return ::socket(AF_UNIX, SOCK_STREAM, 0); }), EPERM);
  EXPECT_EQ(error_of([] { return ::socket(AF_NETLINK, SOCK_RAW, 0); }), EPERM);
  EXPECT_EQ(error_of([] { return static_cast<long>(::fork()); }), EPERM);
  EXPECT_EQ(error_of([] { return ::kill(::getppid(), 0); }), EPERM);
  EXPECT_EQ(error_of([] { return ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); }), EPERM);
  EXPECT_EQ(error_of([] {
              void* page = ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
              return page == MAP_FAILED ? -1L : 0L;
            }),
            EPERM);
  EXPECT_EQ(error_of([] {
              bpf_attr attributes;
              std::memset(&attributes, 0, sizeof attributes);
              attributes.map_type = BPF_MAP_TYPE_ARRAY;
              attributes.key_size = attributes.value_size = 4;
              attributes.max_entries = 1;
              return ::syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof attributes);
            }),
            EPERM);
}

TEST_F(Privilege, WhatServingTakesWorks) {
  EXPECT_EQ(error_of([] { return ::socket(AF_INET, SOCK_STREAM, 0); }), 0);
  EXPECT_EQ(error_of([] { return ::socket(AF_INET6, SOCK_STREAM, 0); }), 0);
  EXPECT_EQ(error_of([] { return ::close(0); }), 0);
}

TEST_F(Privilege, WhatOnlyAnIntruderCallsKills) {
  const int status = in_worker([] {
    char name[] = "/bin/true";
    char* arguments[] = {name, nullptr};
    ::execv(name, arguments);
    return 0;
  });
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGSYS);
}

}  // namespace
}  // namespace heddle::handler
