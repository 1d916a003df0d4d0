#include <heddle/filter.h>

int somebody(int x);
int filter(const struct heddle_request* request) {
  return somebody(1);
}
