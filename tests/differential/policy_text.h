#pragma once

#include <string>

#include "tests/differential/random.h"

namespace heddle::differential {

/// What services say of the load of their endpoints: bounds that are never met, or some that a few requests
/// meet.
enum class Bounds { wide, tight };

/// A policy of a few services with random rules, as text: both sides get it through the front end.
std::string random_policy(Random& random, Bounds bounds = Bounds::wide);

/// One service with that many routes of mixed shape, no two equal, a third of them overlapping others.
std::string many_routes(std::size_t count);

}  // namespace heddle::differential
