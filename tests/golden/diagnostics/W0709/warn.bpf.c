#include <heddle/filter.h>

int filter(const struct heddle_request* request) {
  int unused = 3;
  return 0;
}
