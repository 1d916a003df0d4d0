#include <linux/audit.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

#include "runtime/handler/privilege.h"

namespace heddle::handler {

namespace {

#if defined(__x86_64__)
constexpr std::uint32_t own_architecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t own_architecture = AUDIT_ARCH_AARCH64;
#else
#error "add the architecture's AUDIT_ARCH_ constant"
#endif

constexpr int allowed[] = {
    // the data path
    SYS_recvfrom, SYS_sendto, SYS_epoll_pwait, SYS_accept4, SYS_connect, SYS_close, SYS_epoll_ctl,
    SYS_shutdown, SYS_setsockopt, SYS_getsockopt, SYS_getsockname, SYS_getpeername, SYS_recvmsg, SYS_sendmsg,
    SYS_fcntl,
#ifdef SYS_epoll_wait
    SYS_epoll_wait,
#endif
    // the log and the signal descriptor
    SYS_read, SYS_write, SYS_writev,
    // memory
    SYS_brk, SYS_munmap, SYS_mremap, SYS_madvise,
    // time, and what the C library needs to run and to end
    SYS_clock_gettime, SYS_gettimeofday, SYS_getrandom, SYS_futex, SYS_restart_syscall, SYS_rt_sigreturn,
    SYS_rt_sigprocmask, SYS_rt_sigaction, SYS_sigaltstack, SYS_getpid, SYS_gettid, SYS_tgkill, SYS_exit,
    SYS_exit_group};

/// Nothing in a worker calls these, ever.
constexpr int deadly[] = {
    SYS_execve,      SYS_execveat,     SYS_ptrace,     SYS_process_vm_readv, SYS_process_vm_writev,
    SYS_init_module, SYS_finit_module, SYS_kexec_load, SYS_setuid,           SYS_setresuid,
    SYS_mount,       SYS_unshare,      SYS_setns};

constexpr std::uint32_t allow = SECCOMP_RET_ALLOW;
constexpr std::uint32_t refuse = SECCOMP_RET_ERRNO | EPERM;
constexpr std::uint32_t kill = SECCOMP_RET_KILL_PROCESS;

constexpr std::uint32_t number_offset = offsetof(seccomp_data, nr);
constexpr std::uint32_t architecture_offset = offsetof(seccomp_data, arch);
/// The low half of an argument; both architectures are little-endian, and the kernel takes these as 32 bits.
constexpr std::uint32_t argument_offset(unsigned index) {
  return static_cast<std::uint32_t>(offsetof(seccomp_data, args) + index * sizeof(std::uint64_t));
}

class Filter {
 public:
  void load(std::uint32_t offset) { add(BPF_LD | BPF_W | BPF_ABS, offset); }
  void end(std::uint32_t action) { add(BPF_RET | BPF_K, action); }
  void end_if_equal(std::uint32_t value, std::uint32_t action) {
    add(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
    end(action);
  }
  void end_unless_equal(std::uint32_t value, std::uint32_t action) {
    add(BPF_JMP | BPF_JEQ | BPF_K, value, 1, 0);
    end(action);
  }
  void end_if_any_bit(std::uint32_t bits, std::uint32_t action) {
    add(BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1);
    end(action);
  }
  /// For one system call: `index` must be one of `values`.
  void allow_with(int number, unsigned index, std::initializer_list<std::uint32_t> values) {
    const auto skipped = static_cast<std::uint8_t>(2 + 2 * values.size());
    add(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(number), 0, skipped);
    load(argument_offset(index));
    for (const std::uint32_t value : values) end_if_equal(value, allow);
    end(refuse);
  }
  /// For one system call: no bit of `bits` may be set in `index`.
  void allow_without(int number, unsigned index, std::uint32_t bits) {
    add(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(number), 0, 4);
    load(argument_offset(index));
    end_if_any_bit(bits, refuse);
    end(allow);
  }
  [[nodiscard]] bool install() {
    const sock_fprog program{static_cast<unsigned short>(instructions_.size()), instructions_.data()};
    return ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
  }

 private:
  void add(int code, std::uint32_t value, std::uint8_t if_true = 0, std::uint8_t if_false = 0) {
    instructions_.push_back({static_cast<std::uint16_t>(code), if_true, if_false, value});
  }
  std::vector<sock_filter> instructions_;
};

}  // namespace

Result<void> restrict_system_calls() {
  Filter filter;
  filter.load(architecture_offset);
  filter.end_unless_equal(own_architecture, kill);
  filter.load(number_offset);
  // Those whose arguments matter come first: the kernel remembers the answer for the others.
  filter.allow_with(SYS_bpf, 0,
                    {BPF_MAP_LOOKUP_ELEM, BPF_MAP_UPDATE_ELEM, BPF_PROG_TEST_RUN, BPF_OBJ_GET_INFO_BY_FD,
                     BPF_MAP_LOOKUP_BATCH});
  filter.allow_with(SYS_socket, 0, {AF_INET, AF_INET6});
  filter.allow_without(SYS_mmap, 2, PROT_EXEC);
  filter.allow_without(SYS_mprotect, 2, PROT_EXEC);
  for (const int number : allowed) filter.end_if_equal(static_cast<std::uint32_t>(number), allow);
  for (const int number : deadly) filter.end_if_equal(static_cast<std::uint32_t>(number), kill);
  filter.end(refuse);
  if (filter.install()) return {};
  return Error{ErrorKind::unsupported, std::string("cannot restrict system calls: ") + std::strerror(errno),
               "the kernel needs CONFIG_SECCOMP_FILTER"};
}

}  // namespace heddle::handler
