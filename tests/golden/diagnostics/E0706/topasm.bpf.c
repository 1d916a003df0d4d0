#include <heddle/filter.h>

asm(".globl x");
int filter(const struct heddle_request* request) {
  return 0;
}
