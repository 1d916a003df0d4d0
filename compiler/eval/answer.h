#pragma once

#include <map>
#include <string>

#include "compiler/eval/head.h"
#include "compiler/model/policy.h"

namespace heddle::eval {

/// A path under a prefix with another prefix in its place; both are whole segments, without slash at their end, but `/`.
std::string moved(const std::string& path, const std::string& from, const std::string& to);

/// The `location` of a redirect: the URI of the request with what the redirect says in its place.
///
/// The request's scheme is `http`; its host and port are what `Host` says, or, where a request of HTTP/1.0 says
/// none, the address that was `dialled`. A port that belongs to another host or scheme is left out, and so is the
/// one that the scheme has anyway. The query stays.
std::string location(const model::Redirect& redirect, const Head& head, const model::SocketAddress& dialled);

/// The headers of an answer that the policy knows: `content-type`, `location`.
std::map<std::string, std::string> answer_headers(const model::Respond& respond, const Head& head,
                                                  const model::SocketAddress& dialled);

}  // namespace heddle::eval
