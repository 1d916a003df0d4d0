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
  const model::Service& own = scope.model_service();
  const ast::Service& node = *scope.analysis.services.at(own.name)->second.node;
  const bool may_be_missing = node.broken || scope.analysis.names_may_be_missing;
  const auto pool = find_pool(scope.analysis.sink, scope.analysis.policy, scope.service, name, scope.space, may_be_missing);
  if (!pool || pool->service == scope.service) return pool;
  const model::Service& other = scope.analysis.policy.services[pool->service];
  if (other.protocol == own.protocol) return pool;
  const auto word = [](const model::Service& service) { return model::protocol_name(service.protocol); };
  scope.analysis.report(kinds::other_protocol(name.span, other.name, word(other), own.name, word(own)))
      .with_label(other.span, "the target is declared here");
  return std::nullopt;
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

namespace {

std::optional<std::uint32_t> find_subset(const model::Service& service, const std::string& name) {
  for (std::uint32_t i = 0; i < service.subsets.size(); ++i) {
    if (service.subsets[i].name == name) return i;
  }
  return std::nullopt;
}

/// In the own space first, then in the root.
std::optional<model::ServiceId> find_service(const model::Policy& policy, const std::string& name,
                                             const std::string& space) {
  for (const std::string& each : {qualified(space, name), name}) {
    if (const model::Service* found = model::find_service(policy, each))
      return static_cast<model::ServiceId>(found - policy.services.data());
  }
  return std::nullopt;
}

std::optional<model::PoolTarget> named_pool(const model::Policy& policy, model::ServiceId own,
                                            const ast::QualifiedName& name, const std::string& space) {
  if (name.space.empty()) {
    if (const auto subset = find_subset(policy.services[own], name.name)) return model::PoolTarget{own, subset};
    if (const auto service = find_service(policy, name.name, space)) return model::PoolTarget{*service, {}};
    return std::nullopt;
  }
  if (const auto service = find_service(policy, name.text(), "")) return model::PoolTarget{*service, {}};
  const auto service = find_service(policy, name.space, space);
  const auto subset = service ? find_subset(policy.services[*service], name.name) : std::nullopt;
  return subset ? std::optional(model::PoolTarget{*service, subset}) : std::nullopt;
}

/// All that could be meant, as one would write it in the space.
std::vector<std::string> known_pools(const model::Policy& policy, model::ServiceId own, const std::string& space) {
  std::vector<std::string> known;
  const model::Service& service = policy.services[own];
  for (const model::Subset& subset : service.subsets) known.push_back(subset.name);
  known.push_back(service.name.substr(service.name.find('.') + 1));
  for (const model::Service& other : policy.services) {
    if (&other == &service || other.protocol != service.protocol) continue;
    const bool near = !space.empty() && other.name.starts_with(space + ".");
    known.push_back(near ? other.name.substr(space.size() + 1) : other.name);
  }
  return known;
}

}  // namespace

std::optional<model::PoolTarget> find_pool(diagnostics::Sink& sink, const model::Policy& policy, model::ServiceId own,
                                           const ast::QualifiedName& name, const std::string& space,
                                           bool missing_is_fine) {
  constexpr std::size_t most_shown = 8;
  const auto pool = named_pool(policy, own, name, space);
  if (pool || missing_is_fine) return pool;
  auto& diagnostic = sink.report(kinds::unknown_target(name.span, name.text(), policy.services[own].name));
  const std::vector<std::string> known = known_pools(policy, own, space);
  if (const auto meant = diagnostics::did_you_mean(name.text(), known)) {
    diagnostic.with_help(*meant);
  } else {
    std::string list;
    for (std::size_t i = 0; i < std::min(known.size(), most_shown); ++i) list += (list.empty() ? "`" : ", `") + known[i] + "`";
    diagnostic.with_help("the targets of this service are " + list + (known.size() > most_shown ? ", …" : ""));
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
