#include <heddle/filter.h>

static int down(const struct heddle_request* request, int n) {
  if (n <= 0) return request->path_length;
  return down(request, n - 1) + down(request, n - 2);
}
int filter(const struct heddle_request* request) {
  return down(request, request->host_length);
}
