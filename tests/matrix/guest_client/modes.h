#pragma once

#include <string>
#include <vector>

namespace heddle::matrix {

using Arguments = std::vector<std::string>;

int figures(const Arguments& arguments);
int pressure(const Arguments& arguments);

}  // namespace heddle::matrix
