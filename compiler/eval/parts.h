#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "compiler/eval/head.h"

/// The named parts of a request that are not header lines of their own.
namespace heddle::eval {

/// All values of a query parameter, as they came: what stands between `&`s is `name=value`, or `name` with an empty value.
std::vector<std::string> query_values(const Head& head, std::string_view name);

/// All values of a cookie: the `Cookie` lines joined with `; `, split at `;`, both sides of `=` without blanks around.
std::vector<std::string> cookie_values(const Head& head, std::string_view name);

}  // namespace heddle::eval
