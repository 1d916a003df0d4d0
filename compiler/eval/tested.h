#pragma once

#include <set>
#include <string>

#include "compiler/model/policy.h"

namespace heddle::eval {

/// The headers whose value a service's policy depends on, names in lower case.
struct TestedHeaders {
  std::set<std::string> names;     // all of them
  std::set<std::string> singular;  // those whose value is compared: a second line would be a second value
};

/// Of `access` and `route` together, whichever of them a request meets.
TestedHeaders tested_headers(const model::Service& service);

}  // namespace heddle::eval
