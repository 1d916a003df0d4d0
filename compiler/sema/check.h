#pragma once

#include <optional>
#include <string>

#include "compiler/diagnostics/diagnostic.h"
#include "compiler/model/policy.h"
#include "compiler/source/source_manager.h"

namespace heddle::sema {

/// The whole front end: reads all files of `sources` as one policy and says everything that is wrong with it.
/// The model is there if and only if no error was reported (warnings may be). Files may come in any order.
std::optional<model::Policy> check(const source::SourceManager& sources, diagnostics::Sink& sink);

/// One request as `explain --send` takes it: `GET "/reviews/7" to reviews from web with header "end-user"
/// "jason"`, with or without a leading `send`, or `connect to cache from web`. Adds the text to `sources`
/// under the name
/// `--send`, so that diagnostics can show it. Checked against the policy as a `test` block is: unknown
/// services and identities are errors.
std::optional<model::TestRequest> parse_request(const std::string& text, const model::Policy& policy,
                                                source::SourceManager& sources, diagnostics::Sink& sink);

}  // namespace heddle::sema
