#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "compiler/plan/plan.h"
#include "tests/differential/cases.h"
#include "tests/differential/parsed.h"

namespace heddle::differential {

/// What a comparison of many requests came to.
struct Tally {
  Table table;
  std::size_t requests = 0;
  std::size_t decided = 0;     // the others never end
  std::size_t hit_a_rule = 0;  // ended by a rule that the policy writes, `otherwise` not among them
  std::size_t refused = 0;     // by their form
  std::size_t audited = 0;  // times that a rule was counted and decided nothing
  std::size_t tcp = 0;         // connections, not requests
  std::map<std::string, std::size_t> choices;  // of endpoints, by what made them
  std::vector<std::string> differences;        // text of the first few
  std::size_t difference_count = 0;

  void add(const Tally& other);
};

/// Whether a rule is one that a request has to meet; `…/default`, `…/otherwise` and the mesh's own are not.
bool is_written_rule(const std::string& id);

/// Decides `requests` requests by both sides. With `worlds` each meets other states of the endpoints. Without `bounds` they are
/// random: a part of the policies is code, a part is tables, a part is both.
void compare(const std::string& text, const Parsed& parsed, std::size_t requests, Random& random,
             Tally& tally, bool worlds = false, std::optional<plan::CodeBounds> bounds = std::nullopt);

/// The same without the compiled side: what the table would be.
void rehearse(const Parsed& parsed, std::size_t requests, Random& random, Tally& tally);

}  // namespace heddle::differential
