#pragma once

#include "compiler/plan/plan.h"

namespace heddle::plan {

/// What a worker needs to know whom a certificate names: hd_mesh and hd_patterns, with their texts.
void write_peers(const model::Policy& policy, Tables& tables);

hd_u32 transport_number(const model::Service& service);

}  // namespace heddle::plan
