#pragma once

#include <optional>

#include "compiler/eval/head.h"
#include "compiler/eval/tested.h"

namespace heddle::eval {

/// What can be said of a head only as a whole: hosts, lengths, headers that occur twice. Sets `head.host`.
/// All of it is `mesh/malformed`.
std::optional<Refusal> check_framing(Head& head, const TestedNames& tested);

/// What RFC 9113 forbids in a message of HTTP/2: everything that is about one hop of HTTP/1.
std::optional<Refusal> check_http_2(const Head& head);

}  // namespace heddle::eval
