#include <heddle/filter.h>

int filter(struct heddle_request* request) {
  return request->destination_port == 80;
}
