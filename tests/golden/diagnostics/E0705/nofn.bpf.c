#include <heddle/filter.h>

int decide(const struct heddle_request* request) {
  return request->destination_port == 80;
}
