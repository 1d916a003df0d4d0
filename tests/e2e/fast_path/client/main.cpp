// attack_client MODE ...: clients that are too fast for Python.
#include <sys/resource.h>

#include <cstdio>
#include <string_view>

#include "tests/e2e/fast_path/client/modes.h"

namespace {

struct Mode {
  std::string_view name;
  int (*run)(const heddle::fast_path::Arguments&);
  std::size_t arguments;
  const char* usage;
};

constexpr Mode modes[] = {
    {"load", heddle::fast_path::load, 3,
     "load CONNECTIONS SECONDS MIX [FAMILY]: keep-alive, every answer looked at"},
    {"race", heddle::fast_path::race, 2,
     "race CLIENTS SECONDS: two threads that write to one connection at once"},
    {"pairs", heddle::fast_path::pairs, 3,
     "pairs CLIENTS COUNT MICROSECONDS: a second request that long after the first"},
    {"sleepers", heddle::fast_path::sleepers, 2, "sleepers CONNECTIONS TARGET: ask, and read when told"},
    {"churn", heddle::fast_path::churn, 2, "churn THREADS COUNT: short connections"},
};

}  // namespace

int main(int count, char** words) {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  const heddle::fast_path::Arguments arguments(words + (count > 2 ? 2 : count), words + count);
  for (const Mode& mode : modes) {
    if (count > 1 && mode.name == words[1] && arguments.size() >= mode.arguments) return mode.run(arguments);
  }
  for (const Mode& mode : modes) std::fprintf(stderr, "attack_client %s\n", mode.usage);
  return 2;
}
