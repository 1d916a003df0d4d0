#include <heddle/filter.h>

int filter(const struct heddle_request* request) {
  ((struct heddle_request*)request)->path_length = 0;
  return 1;
}
