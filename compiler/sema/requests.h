#pragma once

#include <optional>
#include <string>

#include "compiler/ast/file.h"
#include "compiler/diagnostics/diagnostic.h"
#include "compiler/model/policy.h"

namespace heddle::sema {

/// Where the names of a request are looked up.
struct RequestScope {
  const model::Policy& policy;
  diagnostics::Sink& sink;
  std::string space;
  bool names_may_be_missing = false;
};

/// What is sent, if it can be sent to what it names; else nothing, and reported.
std::optional<model::TestRequest> check_request(const RequestScope& scope, const ast::Request& request);

}  // namespace heddle::sema
