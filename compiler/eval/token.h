#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/model/policy.h"

namespace heddle::eval {

/// One claim; strings, numbers and booleans as JSON writes them. A list has several values, or one.
struct Claim {
  std::vector<std::string> path;
  std::vector<std::string> values;
  bool list = false;
};

/// A token that was verified: who the user is.
struct Token {
  std::string issuer;
  std::string audience;
  std::vector<Claim> claims;
};

/// The claim of that path; null: the token has none, or there is no token.
const Claim* find_claim(const std::optional<Token>& token, const std::vector<std::string>& path);

/// Whether the claim of that path has claims in it.
bool has_claims_in(const std::optional<Token>& token, const std::vector<std::string>& path);

/// What is compared: the text of a claim that is no list.
std::optional<std::string> claim_value(const std::optional<Token>& token, const std::vector<std::string>& path);

/// The identities of users, and the groups of them, that the token shows.
std::set<model::IdentityId> identities_of(const model::Policy& policy, const Token& token);

}  // namespace heddle::eval
