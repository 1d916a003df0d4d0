#include <heddle/filter.h>

int filter(const struct heddle_request* request) {
  return request->path_length * 1.5 > 100.25;
}
