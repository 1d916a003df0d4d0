#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "compiler/eval/caller.h"
#include "compiler/eval/head.h"
#include "compiler/eval/token.h"
#include "compiler/model/condition.h"
#include "compiler/model/policy.h"

namespace heddle::eval {

/// Whether filters hold, where that is known or assumed. Nobody here runs one.
using FilterAnswers = std::map<model::FilterId, bool>;

/// What conditions look at. A tcp connection has a caller, one to a tls service a name besides, and both no head.
struct Facts {
  Caller caller;
  const Head* head = nullptr;  // none: tcp, tls
  std::string path;            // of the head, in the form in which paths are compared
  model::IpAddress source = {};      // of the client's socket; all zero: it is not known
  std::uint16_t port = 0;            // the one dialled
  std::optional<std::string> spiffe = {};  // of the caller
  std::optional<Token> user = {};
  std::optional<std::string> sni = {};  // tls: the name that the client asks for, if it does
  FilterAnswers filters = {};
  mutable std::set<model::FilterId> asked_filters = {};  // of which no answer is known; taken as one that does not hold
  mutable bool asked_source = false;  // something depended on a source that is not known
};

/// Whether a condition is true, and the smallest part of it that made it so, with that part's own truth.
struct Match {
  bool holds = false;
  const model::Condition* cause = nullptr;
  bool cause_holds = false;
};

Match match(const model::Condition& condition, const Facts& facts);

/// What the request has of it, in the form in which it is compared; none if it has nothing.
std::optional<std::string> key_value(const model::RequestKey& key, const Facts& facts);

/// A path with the hex digits of its escapes in upper case, the form in which paths are compared.
std::string comparable_path(std::string_view path);

}  // namespace heddle::eval
