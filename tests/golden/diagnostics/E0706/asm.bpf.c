#include <heddle/filter.h>

int filter(const struct heddle_request* request) {
  long x = 0;
  asm volatile("%0 = 1" : "=r"(x));
  return x;
}
