#pragma once

#include <string>
#include <vector>

namespace heddle::fast_path {

/// Each mode prints one line of JSON when it is done; 0 unless it could not do its work.
using Arguments = std::vector<std::string>;

int load(const Arguments& arguments);
int race(const Arguments& arguments);
int pairs(const Arguments& arguments);
int sleepers(const Arguments& arguments);
int churn(const Arguments& arguments);

}  // namespace heddle::fast_path
