#pragma once

#include "compiler/eval/forwarded.h"
#include "compiler/eval/head.h"
#include "compiler/model/changes.h"

namespace heddle::eval {

/// A browser asks what it may send before it sends it; the method that it asks for. None: no such question.
std::optional<std::string> asked_method(const Head& head);

/// The answer to it. An origin that is not listed gets one that says nothing.
ResponseHeaders preflight_answer(const model::Cors& cors, const Head& head);

/// What is added to the response to a request that was sent.
ResponseHeaders cors_headers(const model::Cors& cors, const Head& head);

}  // namespace heddle::eval
