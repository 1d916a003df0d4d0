#include <heddle/filter.h>

int filter(const struct heddle_request* request) {
  retrun 0;
}
