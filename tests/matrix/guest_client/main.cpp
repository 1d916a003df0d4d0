// guest_client MODE ...: what a guest without Python and without a compiler needs.
#include <sys/resource.h>

#include <cstdio>
#include <string_view>

#include "tests/matrix/guest_client/modes.h"

namespace {

struct Mode {
  std::string_view name;
  int (*run)(const heddle::matrix::Arguments&);
  std::size_t arguments;
  const char* usage;
};

constexpr Mode modes[] = {
    {"figures", heddle::matrix::figures, 1, "figures CONTROL: what heddled says of the fast path, a line each"},
    {"pressure", heddle::matrix::pressure, 2,
     "pressure CLIENTS SECONDS: readers that sleep and writers nobody listens to, while memory lasts and when it does not"},
};

}  // namespace

int main(int count, char** words) {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  const heddle::matrix::Arguments arguments(words + (count > 2 ? 2 : count), words + count);
  for (const Mode& mode : modes) {
    if (count > 1 && mode.name == words[1] && arguments.size() >= mode.arguments) return mode.run(arguments);
  }
  for (const Mode& mode : modes) std::fprintf(stderr, "guest_client %s\n", mode.usage);
  return 2;
}
