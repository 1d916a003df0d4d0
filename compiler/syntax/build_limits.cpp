#include <string>
#include <utility>

#include "compiler/syntax/builder.h"

namespace heddle::syntax {

namespace {

using P = Parser;
using ast::Attribute;

/// The parts of a key that are a keyword alone, and those with a name.
ast::RequestKey build_part(Builder& builder, P::KeyPartContext* context) {
  ast::RequestKey key;
  key.span = builder.span(context);
  if (context->IDENTITY() != nullptr) key.attribute = Attribute::from;
  if (context->METHOD() != nullptr) key.attribute = Attribute::method;
  if (context->HOST() != nullptr) key.attribute = Attribute::host;
  if (context->HEADER() != nullptr) key.attribute = Attribute::header;
  if (context->QUERY() != nullptr) key.attribute = Attribute::query;
  if (context->COOKIE() != nullptr) key.attribute = Attribute::cookie;
  if (context->USER() != nullptr) key.attribute = Attribute::user;
  if (context->CLAIM() != nullptr) {
    key.attribute = Attribute::claim;
    for (auto* name : context->STRING()) key.claim.push_back(builder.string(name));
  } else if (!context->STRING().empty()) {
    key.name = builder.string(context->STRING(0));
  }
  return key;
}

}  // namespace

ast::Limit build(Builder& builder, P::LimitContext* context) {
  ast::Limit limit;
  limit.name = builder.name(context->name());
  limit.service = builder.name(context->qualifiedName());
  for (auto* item : context->limitItem()) {
    if (!is_whole(item)) continue;
    const source::Span span = builder.span(item);
    if (item->WHEN() != nullptr) limit.whens.push_back(build_condition(builder, item->condition()));
    if (item->RATE() != nullptr)
      limit.rates.push_back({builder.number(item->PER_TIME()), builder.number(item->INTEGER()), span});
    if (item->KEY() != nullptr) {
      ast::LimitKey key{{}, span};
      for (auto* part : item->keyPart()) key.parts.push_back(build_part(builder, part));
      limit.keys.push_back(std::move(key));
    }
    if (item->SCOPE() == nullptr) continue;
    limit.scopes.push_back(span);
    if (item->MESH() != nullptr) limit.mesh_scopes.push_back(span);
  }
  return limit;
}

ast::Filter build(Builder& builder, P::ExternFilterContext* context) {
  ast::Filter filter;
  filter.name = builder.name(context->name());
  filter.path = builder.string(context->STRING());
  return filter;
}

}  // namespace heddle::syntax
