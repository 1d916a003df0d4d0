#include <heddle/filter.h>

int filter(const struct heddle_request* request) {
  request->source[0] = 1;
  return 0;
}
