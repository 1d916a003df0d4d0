#pragma once

#include "runtime/loader/endpoints.h"

namespace heddle::agent {

/// What the interfaces of the own network namespace have.
loader::Addresses own_addresses();

}  // namespace heddle::agent
