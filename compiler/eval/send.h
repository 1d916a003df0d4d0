#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "compiler/eval/request.h"
#include "compiler/model/policy.h"

/// From `send …` of a test block, or of `explain --send`, to the requests that it stands for.
namespace heddle::eval {

/// The requests: one per caller (a group holds for every member), all with draw 0.
struct Sent {
  std::vector<Request> requests;
  std::string problem;  // why there are none: the service has no address to send to
};

Sent make_requests(const model::Policy& policy, const model::TestRequest& send);

/// The head as it goes over the wire: target, headers and host byte for byte as written.
std::string head_text(const model::Policy& policy, const model::TestRequest& send);

}  // namespace heddle::eval
