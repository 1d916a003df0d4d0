// bench_ceiling FOLDER: redirects between the sockets of a cgroup (ceiling.bpf.c) until its standard input
// ends. Attached by links and in maps without a name, so that all of it goes with this process.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "embedded/bench_ceiling.h"

namespace {

int fail(const char* what) {
  std::fprintf(stderr, "bench_ceiling: %s: %s\n", what, std::strerror(errno));
  return 2;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) return std::fprintf(stderr, "usage: bench_ceiling CGROUP-FOLDER\n"), 2;
  const auto elf = heddle::embedded::bench_ceiling();
  bpf_object* object = bpf_object__open_mem(elf.data(), elf.size(), nullptr);
  if (object == nullptr || bpf_object__load(object) != 0) return fail("cannot load its programs");

  // Before the first socket: it keeps the programs that the map had when it came in.
  const int ends = bpf_object__find_map_fd_by_name(object, "ends");
  const int redirect = bpf_program__fd(bpf_object__find_program_by_name(object, "redirect"));
  if (bpf_prog_attach(redirect, ends, BPF_SK_MSG_VERDICT, 0) != 0)
    return fail("cannot attach to the socket map");

  const int cgroup = open(arguments[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (cgroup < 0) return fail(arguments[1]);
  if (bpf_program__attach_cgroup(bpf_object__find_program_by_name(object, "enrol"), cgroup) == nullptr)
    return fail("cannot attach to the cgroup");

  std::puts("ready");
  std::fflush(stdout);
  char unused = 0;
  while (read(STDIN_FILENO, &unused, 1) > 0) {
  }
  return 0;
}
