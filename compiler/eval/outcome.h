#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "compiler/eval/forwarded.h"
#include "compiler/model/policy.h"

namespace heddle::eval {

enum class Verdict : std::uint8_t {
  forward,    // to one of `endpoints`
  respond,    // the route rule answers by itself
  deny,       // 403; a tcp connect is refused
  refuse,     // malformed, ambiguous or oversized: `status`, and the connection ends
  unhealthy,  // 503; a tcp connect is refused
  outside,    // the destination belongs to no service and is left alone
  full,       // 503; a tcp connect is refused: every endpoint has as much as `at_most` allows
  limited,    // 429; a tcp connect is refused: a `limit` has no room
};

/// The steps of a decision in their order (language reference, "The order of a decision").
enum class Stage : std::uint8_t { destination, form, caller, access, limit, route, target };

/// One thing that was looked at on the way to the outcome.
struct Step {
  Stage stage = Stage::destination;
  bool hit = true;                    // the rule applied; a rule that was passed over has false
  std::string rule;                   // its id, or empty
  std::string text;                   // what was found, as a sentence
  std::optional<source::Span> place;  // of the rule
  std::optional<source::Span> cause;  // the part of its condition that decided
  bool cause_holds = false;           // whether that part is true
};

/// All endpoints of a service (`subset` empty) or those of one of its subsets.
struct Pool {
  model::ServiceId service = 0;
  std::optional<std::uint32_t> subset;

  friend bool operator==(const Pool&, const Pool&) = default;
};

struct Outcome {
  Verdict verdict = Verdict::forward;
  std::uint16_t status = 0;  // that the mesh answers with; 0: it does not answer (forward, outside, tcp)
  std::string rule;          // that ended the decision
  std::string access_rule;   // that allowed or denied; empty: step 3 was not reached
  std::string route_rule;    // empty: step 5 was not reached
  std::vector<std::string> audited;  // rules that were counted and decided nothing
  std::optional<model::ServiceId> service;      // none: outside
  std::optional<Pool> pool;                     // none: no pool was asked
  std::vector<model::SocketAddress> endpoints;  // any of them is right; several where `balance` chooses
  std::optional<model::SocketAddress> drawn;    // the one of them that the draw or a value chooses: `balance random`, `maglev`
  std::uint32_t timeout_ms = 0;                 // for the whole request; 0: none
  std::string body;                             // respond
  std::map<std::string, std::string> headers;   // of the mesh's answer, by their names in lower case: what the policy says of it
  std::uint32_t retry_after = 0;                // limited: seconds until there is room
  std::uint32_t retries = 0;                    // how often it may be tried again
  std::uint32_t per_try_ms = 0;                 // for the first byte of the response; 0: none
  std::uint32_t delay_ms = 0;                   // that a fault waits first
  std::vector<Pool> mirrors;                    // where a copy goes, or may go
  std::optional<Forwarded> forwarded;           // the request as the server gets it; none: nobody gets it, or tcp
  ResponseHeaders response;                     // what becomes of the headers of the server's response
  bool asked_source = false;                    // it depended on the client's address, which is not known
  std::set<model::FilterId> assumed;            // filters that were asked and taken as not holding
  std::set<model::FilterId> unknown;            // it depends on these filters; then all else here is what happens if none holds
};

/// Whether what happens to the request is the same. Which of several rules allowed it, and what is counted, may differ.
bool is_same(const Outcome& one, const Outcome& other);

/// "extern `geo`", "externs `geo` and `payments.blocked`".
std::string filters_text(const model::Policy& policy, const std::set<model::FilterId>& filters);

/// `forward`, `respond`, …
const char* verdict_name(Verdict verdict);

/// All of a pool, in the order of the page.
std::vector<const model::Endpoint*> endpoints_of(const model::Policy& policy, const Pool& pool);

/// What the route of a service calls a pool: its own subset's name, or `cart`, `cart.v2`.
std::string pool_name(const model::Policy& policy, const Pool& pool, model::ServiceId own);

}  // namespace heddle::eval
