#pragma once

#include <optional>

#include "compiler/eval/head.h"
#include "compiler/eval/tested.h"

namespace heddle::eval {

/// What can be said of a head only as a whole: hosts, lengths, headers that occur twice. Sets `head.host`.
/// All of it is `mesh/malformed`.
std::optional<Refusal> check_framing(Head& head, const TestedNames& tested);

}  // namespace heddle::eval
