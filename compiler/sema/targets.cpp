#include "compiler/sema/targets.h"

#include <algorithm>

#include "compiler/diagnostics/kinds.h"
#include "compiler/diagnostics/suggest.h"
#include "compiler/sema/answers.h"
#include "compiler/sema/keys.h"
#include "compiler/sema/numbers.h"

namespace heddle::sema {

namespace kinds = diagnostics::kinds;

namespace {

constexpr std::uint32_t whole = 1000000;

std::optional<model::PoolTarget> check_pool(RuleScope& scope, const ast::QualifiedName& name) {
  const model::Service& service = scope.model_service();
  const bool own_subset =
      name.space.empty() && std::any_of(service.subsets.begin(), service.subsets.end(),
                                        [&](const model::Subset& s) { return s.name == name.name; });
  const auto* other = scope.analysis.services.find(name, scope.space);
  const auto* base =
      name.space.empty() ? nullptr : scope.analysis.services.find({"", name.space, {}}, scope.space);
  const bool foreign = (other != nullptr && other->first != service.name) || base != nullptr;
  if (!own_subset && foreign) {
    scope.analysis.report(kinds::not_supported(name.span, "-> " + name.text()))
        .with_help("a target that is another service is not built yet");
    return std::nullopt;
  }
  const ast::Service& node = *scope.analysis.services.at(service.name)->second.node;
  return find_pool(scope.analysis.sink, service, name, scope.space, node.broken);
}

std::optional<std::uint32_t> check_weight(RuleScope& scope, const ast::Number& weight) {
  const char* wrong = nullptr;
  const auto parts = parts_of_million(weight.text);
  if (!weight.text.ends_with("%")) {
    wrong = "weights are percentages";
  } else if (!parts) {
    wrong = "a percentage is at most 100% and has at most four decimals";
  } else if (*parts == 0) {
    wrong = "no request would take this part";
  }
  if (wrong == nullptr) return parts;
  scope.analysis.report(kinds::bad_weight(weight.span, weight.text, wrong));
  return std::nullopt;
}

bool check_part(RuleScope& scope, const ast::SplitPart& part, model::SplitPart& result) {
  if (part.respond) {
    result.respond = check_answer(scope, *part.respond);
    return result.respond && !part.unsupported;
  }
  if (part.unsupported) return false;
  const auto pool = check_pool(scope, part.pool);
  if (pool) result.pool = *pool;
  return pool.has_value();
}

bool check_split(RuleScope& scope, const ast::Target& target, model::Target& result) {
  bool right = true;
  std::uint64_t sum = 0;
  for (const ast::SplitPart& part : target.parts) {
    const auto weight = check_weight(scope, part.weight);
    model::SplitPart checked;
    checked.weight_ppm = weight.value_or(0);
    const bool known = check_part(scope, part, checked);
    if (weight && known) result.split.push_back(std::move(checked));
    right = right && weight && known;
    sum += weight.value_or(0);
  }
  if (right && sum != whole) {
    auto& diagnostic = scope.analysis.report(kinds::weights_sum(target.span, percent_text(sum)));
    diagnostic.with_help(sum < whole ? percent_text(whole - sum) + "% are missing"
                                     : percent_text(sum - whole) + "% are too much");
    right = false;
  }
  return right;
}

}  // namespace

std::optional<model::PoolTarget> find_pool(diagnostics::Sink& sink, const model::Service& service,
                                           const ast::QualifiedName& name, const std::string& space,
                                           bool missing_is_fine) {
  std::vector<std::string> known;
  for (std::uint32_t i = 0; i < service.subsets.size(); ++i) {
    if (name.space.empty() && service.subsets[i].name == name.name) return model::PoolTarget{i};
    known.push_back(service.subsets[i].name);
  }
  const bool own =
      name.text() == service.name || (name.space.empty() && qualified(space, name.name) == service.name);
  if (own) return model::PoolTarget{};
  if (missing_is_fine) return std::nullopt;
  known.push_back(service.name.substr(service.name.find('.') + 1));
  auto& diagnostic = sink.report(kinds::unknown_target(name.span, name.text(), service.name));
  if (const auto meant = diagnostics::did_you_mean(name.text(), known)) {
    diagnostic.with_help(*meant);
  } else {
    std::string list;
    for (const std::string& target : known) list += (list.empty() ? "`" : ", `") + target + "`";
    diagnostic.with_help("the targets of this service are " + list);
  }
  return std::nullopt;
}

std::optional<model::Target> check_target(RuleScope& scope, const ast::Target& target) {
  model::Target result;
  result.span = target.span;
  switch (target.kind) {
    case ast::Target::Kind::pool: {
      const auto pool = check_pool(scope, target.pool);
      if (!pool) return std::nullopt;
      result.pool = *pool;
      return result;
    }
    case ast::Target::Kind::split:
      result.kind = model::Target::Kind::split;
      if (target.by && !(result.by = check_key(scope, *target.by))) return std::nullopt;
      return check_split(scope, target, result) ? std::optional(result) : std::nullopt;
    case ast::Target::Kind::respond: {
      auto answer = check_answer(scope, target.respond);
      if (!answer) return std::nullopt;
      result.kind = model::Target::Kind::respond;
      result.respond = std::move(*answer);
      return result;
    }
  }
  return std::nullopt;
}

}  // namespace heddle::sema
