#pragma once

#include <cstdint>
#include <optional>

#include "compiler/eval/destination.h"
#include "compiler/eval/head.h"
#include "compiler/eval/match.h"
#include "compiler/eval/outcome.h"
#include "compiler/eval/request.h"

/// What a decision says about its steps. Only texts: nothing here decides.
namespace heddle::eval {

Step destination_step(const model::Policy& policy, const Request& request,
                      const std::optional<Destination>& found);
Step form_step(const Head& head);
Step name_step(const Request& request);
Step refusal_step(const Refusal& refusal);
Step caller_step(const model::Policy& policy, const Request& request, const Caller& caller);
/// A match without cause that does not hold: the rule is for other callers.
/// `audited`: the rule is counted, and decides nothing.
Step access_step(const model::AccessRule& rule, const Match& found, bool audited);
Step audited_access_step(const std::string& rule);
Step audited_default_step(const std::string& rule);
Step default_access_step(const model::Service& service, const std::string& rule);
Step direct_step(const model::Endpoint& endpoint);
/// What the policy changes of the request, and of the response.
Step forwarded_step(const model::Policy& policy, const Outcome& outcome);

Step preflight_step(const model::RouteRule& rule, const std::string& method);
Step abort_step(const model::RouteRule& rule);

Step full_step(const model::Endpoint& endpoint, const Outcome& outcome);
Step no_route_step(const std::string& rule);
Step route_step(const model::RouteRule& rule, const Match& found);
Step limit_step(const model::Limit& limit, const Match& found);
Step split_step(const model::Policy& policy, model::ServiceId service, const model::RouteRule& rule, bool sticky,
                std::uint64_t draw, std::uint32_t share, std::size_t part);
/// `by_value`: the request has the value that says which endpoint it is.
Step pool_step(const model::Policy& policy, const Pool& pool, const Outcome& outcome, bool by_value);

/// `90%`, `12.5%`.
std::string percent_text(std::uint32_t ppm);

/// `2s`, `250ms`, `5m`.
std::string time_text(std::uint32_t ms);

}  // namespace heddle::eval
