#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "compiler/eval/head.h"
#include "compiler/eval/match.h"
#include "compiler/model/changes.h"
#include "compiler/model/policy.h"

namespace heddle::eval {

/// A request as the server gets it.
struct Forwarded {
  Head head;
  std::vector<std::string> of_source;  // headers that depend on a client's address that is not known
};

/// The request without what ends at this hop; `Upgrade: websocket` stays where a rule says so.
Forwarded forwarded_head(const Head& head, bool upgrade, model::Protocol protocol);

/// What a rule changes of it, in the order of the page: path and host first, then headers.
void change(Forwarded& request, const model::Changes& changes, const Facts& facts);

/// What becomes of the headers of a response; the last word is the one that holds. None: removed.
using ResponseHeaders = std::map<std::string, std::optional<std::string>>;
void change(ResponseHeaders& headers, const model::Changes& changes, const Facts& facts);

/// `/legacy/x` rewritten; the path is one that the rule's condition lets through.
std::string rewritten(const std::string& path, const model::PathRewrite& rewrite);

}  // namespace heddle::eval
