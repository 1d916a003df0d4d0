// checking_server NAME=ADDRESS:PORT...: endpoints that see whether anything comes that was not allowed.
#include <sys/resource.h>

#include <cstdio>

#include "tests/e2e/fast_path/server/server.h"

int main(int count, char** arguments) {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  heddle::fast_path::Server server;
  for (int i = 1; i < count; ++i) server.listen(arguments[i]);
  std::puts(server.ports().c_str());
  std::fflush(stdout);
  server.run();
  return 0;
}
