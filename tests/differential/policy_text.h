#pragma once

#include <string>

#include "tests/differential/random.h"

namespace heddle::differential {

/// A policy of a few services with random rules, as text: both sides get it through the front end.
std::string random_policy(Random& random);

/// One service with that many routes of mixed shape, no two equal, a third of them overlapping others.
std::string many_routes(std::size_t count);

}  // namespace heddle::differential
