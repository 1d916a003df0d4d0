#pragma once

#include "compiler/sema/analysis.h"

namespace heddle::sema {

/// The service that a `route`, `access` or `endpoints` block is about. Null, and reported, if there is none
/// or the block stands in another space than the service.
const Table<ast::Service>::Entry* find_owner(Analysis& analysis, const ast::QualifiedName& name,
                                             const std::string& space, const char* kind);

/// Reports that no service has the name, with the one that was meant.
void report_unknown_service(diagnostics::Sink& sink, const ast::QualifiedName& name,
                            const std::vector<std::string>& known);

}  // namespace heddle::sema
