#include <heddle/filter.h>

int filter(const struct heddle_request* request) {
  while (request->path_length) {
  }
  for (;;) {
  }
}
