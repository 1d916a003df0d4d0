#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "compiler/eval/token.h"
#include "compiler/model/policy.h"

namespace heddle::eval {

/// Who asks: a peer with all identities that it holds, or nobody known.
struct Caller {
  bool has_peer = false;
  std::set<model::IdentityId> identities;
};

/// An id under the alias of the trust domain is the one under the trust domain.
std::optional<std::string> own_spiffe(const model::Policy& policy, const std::optional<std::string>& spiffe);

/// Who asks through the peer is added. The SPIFFE id is held against the patterns of all identities; a caller can hold several at once.
Caller make_caller(const model::Policy& policy, const std::optional<std::string>& spiffe,
                   const std::optional<Token>& user = std::nullopt);

/// `spiffe://<trust domain>/<path>`, where `*` in the path is a run, perhaps empty, without `/`.
bool matches(const model::SpiffePattern& pattern, std::string_view spiffe);

bool includes(const model::Callers& callers, const Caller& caller);

}  // namespace heddle::eval
