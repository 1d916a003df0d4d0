#pragma once

#include <set>
#include <string>

#include "compiler/model/policy.h"

namespace heddle::eval {

/// What a service's policy depends on. Singular is whose value is compared: a second one would be a second value.
struct TestedNames {
  std::set<std::string> headers;  // all of them, in lower case; `cookie` where a cookie is tested
  std::set<std::string> singular_headers;
  std::set<std::string> singular_queries;
  std::set<std::string> singular_cookies;
  std::set<std::string> lists = {};  // headers whose elements are tested
};

/// Of `access`, limits, `balance` and `route` together, and of `access` and `balance` of other services that are targets, whichever of them a request meets.
TestedNames tested_names(const model::Policy& policy, model::ServiceId service);

}  // namespace heddle::eval
