#include <heddle/filter.h>

int filter(const struct heddle_request* request) {
  return (int)request->path_length / (int)request->host_length;
}
