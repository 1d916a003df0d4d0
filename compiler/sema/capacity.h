#pragma once

#include "compiler/ast/file.h"
#include "compiler/sema/analysis.h"

/// What a service says of the load and the failures of its endpoints.
namespace heddle::sema {

void check_balance(Analysis& analysis, const ast::Service& node, model::Service& service);
void check_eject(Analysis& analysis, const ast::Service& node, model::Service& service);
void check_at_most(Analysis& analysis, const ast::Service& node, model::Service& service);

/// 1 where none is written.
std::uint32_t check_weight(Analysis& analysis, const ast::Endpoint& node);

/// Warns where so few endpoints may be ejected that it is none of those there are.
void warn_prefers_nobody(Analysis& analysis, const ast::Service& node, const model::Service& service);
void warn_never_ejects(Analysis& analysis, const ast::Service& node, const model::Service& service);

}  // namespace heddle::sema
