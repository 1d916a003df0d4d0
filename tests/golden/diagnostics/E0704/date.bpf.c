#include <heddle/filter.h>

int filter(const struct heddle_request* request) {
  return __TIME__[7] == '3';
}
