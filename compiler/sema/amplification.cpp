// How many tries one request may come to, over all services that call each other because of it.

#include <algorithm>
#include <optional>
#include <set>
#include <vector>

#include "compiler/diagnostics/kinds.h"
#include "compiler/sema/analysis.h"
#include "compiler/sema/spiffe.h"

namespace heddle::sema {

namespace kinds = diagnostics::kinds;

namespace {

using model::IdentityId;
using model::ServiceId;

bool overlap(const model::Identity& a, const model::Identity& b) {
  return std::any_of(a.patterns.begin(), a.patterns.end(), [&](const model::SpiffePattern& one) {
    return std::any_of(b.patterns.begin(), b.patterns.end(), [&](const model::SpiffePattern& other) {
      return one.trust_domain == other.trust_domain && patterns_meet(one.path, other.path);
    });
  });
}

class Amplification {
 public:
  explicit Amplification(Analysis& analysis)
      : analysis_(analysis), policy_(analysis.policy), tries_(policy_.services.size(), 1), calls_(policy_.services.size()) {
    for (ServiceId id = 0; id < policy_.services.size(); ++id) tries_[id] = tries_of(policy_.services[id]);
    for (ServiceId to = 0; to < policy_.services.size(); ++to) add_callers(to);
  }

  void check() {
    find_rounds();
    for (ServiceId id = 0; id < policy_.services.size(); ++id) {
      if (tries_[id] > 1 && goes_round(id)) return report_round(id);
    }
    // Whoever is called is in a round that was found before.
    for (const std::vector<ServiceId>& round : rounds_) find_worst(round);
    const auto most = std::max_element(worst_.begin(), worst_.end());
    if (most != worst_.end() && *most > policy_.amplification)
      report(static_cast<ServiceId>(most - worst_.begin()), *most);
  }

 private:
  [[nodiscard]] std::uint32_t tries_of(const model::Service& service) const {
    std::uint32_t most = 1;
    if (!service.route) return most;
    for (const model::RouteRule& rule : service.route->rules) {
      if (rule.retry) most = std::max(most, policy_.retries[*rule.retry].retries + 1);
    }
    return most;
  }

  static void name(const model::Callers& callers, std::set<IdentityId>& named) {
    named.insert(callers.identities.begin(), callers.identities.end());
    named.insert(callers.via.begin(), callers.via.end());
  }

  /// What a condition says of callers, if it does not say that they are not meant.
  static void name(const model::Condition& condition, std::set<IdentityId>& named) {
    if (condition.kind == model::Condition::Kind::negation) return;
    for (const model::Condition& child : condition.children) name(child, named);
    if (condition.kind == model::Condition::Kind::test) name(condition.test.callers, named);
  }

  static void name(const model::Access& block, std::set<IdentityId>& named) {
    for (const model::AccessRule& rule : block.rules) {
      if (rule.effect != model::Effect::allow) continue;
      name(rule.from, named);
      if (rule.when) name(*rule.when, named);
    }
  }

  /// A service calls another if an `allow` there names an identity that its endpoints may have.
  void add_callers(ServiceId to) {
    const model::Service& service = policy_.services[to];
    std::set<IdentityId> named;
    if (service.access) name(*service.access, named);
    if (model::is_on_trial(service)) name(*service.audit, named);
    if (named.empty()) return;
    for (ServiceId from = 0; from < policy_.services.size(); ++from) {
      const auto& own = policy_.services[from].identity;
      if (own && std::any_of(named.begin(), named.end(), [&](IdentityId id) {
            return overlap(policy_.identities[id], policy_.identities[*own]);
          }))
        calls_[from].push_back(to);
    }
  }

  /// Services that call each other, one way or the other (Tarjan); most are alone in theirs. Its own stack, because
  /// chains may be long.
  void find_rounds() {
    constexpr std::uint32_t fresh = UINT32_MAX;
    const std::size_t count = policy_.services.size();
    std::vector<std::uint32_t> number(count, fresh);
    std::vector<std::uint32_t> low(count);
    std::vector<std::size_t> at(count);
    std::vector<ServiceId> open;
    std::vector<ServiceId> walk;
    std::uint32_t next = 0;
    round_.assign(count, fresh);
    for (ServiceId start = 0; start < count; ++start) {
      if (number[start] == fresh) walk.push_back(start);
      while (!walk.empty()) {
        const ServiceId id = walk.back();
        if (number[id] == fresh) {
          number[id] = low[id] = next++;
          open.push_back(id);
        }
        if (at[id] < calls_[id].size()) {
          const ServiceId to = calls_[id][at[id]];
          if (number[to] == fresh) {
            walk.push_back(to);
            continue;
          }
          if (round_[to] == fresh) low[id] = std::min(low[id], low[to]);
          ++at[id];
          continue;
        }
        walk.pop_back();
        if (low[id] == number[id]) close(id, open);
      }
    }
    worst_.assign(count, 0);
    next_.assign(count, 0);
  }

  void close(ServiceId first, std::vector<ServiceId>& open) {
    std::vector<ServiceId>& round = rounds_.emplace_back();
    do {
      round.push_back(open.back());
      round_[open.back()] = static_cast<std::uint32_t>(rounds_.size() - 1);
      open.pop_back();
    } while (round.back() != first);
  }

  [[nodiscard]] bool goes_round(ServiceId id) const {
    return rounds_[round_[id]].size() > 1 || std::count(calls_[id].begin(), calls_[id].end(), id) > 0;
  }

  /// Of a round nobody is tried twice, or there is one service in it.
  void find_worst(const std::vector<ServiceId>& round) {
    std::uint64_t worst = tries_[round.front()];
    std::optional<ServiceId> next;
    for (const ServiceId member : round) {
      for (const ServiceId to : calls_[member]) {
        const std::uint64_t product = std::min<std::uint64_t>(tries_[member] * worst_[to], UINT32_MAX);
        if (round_[to] == round_[member] || product <= worst) continue;
        worst = product;
        next = to;
      }
    }
    for (const ServiceId id : round) {
      worst_[id] = worst;
      next_[id] = next.value_or(id);
    }
  }

  /// The shortest way from a service back to itself.
  [[nodiscard]] std::vector<ServiceId> way_round(ServiceId start) const {
    std::vector<std::optional<ServiceId>> from(policy_.services.size());
    std::vector<ServiceId> queue = {start};
    for (std::size_t head = 0; head < queue.size() && !from[start]; ++head) {
      for (const ServiceId to : calls_[queue[head]]) {
        if (from[to]) continue;
        from[to] = queue[head];
        queue.push_back(to);
      }
    }
    std::vector<ServiceId> way = {start};
    for (ServiceId id = *from[start]; id != start; id = *from[id]) way.push_back(id);
    way.push_back(start);
    std::reverse(way.begin(), way.end());
    return way;
  }

  void report_round(ServiceId start) {
    std::string chain;
    for (const ServiceId id : way_round(start)) chain += (chain.empty() ? "" : " -> ") + link(id);
    analysis_.report(kinds::retry_round(policy_.services[start].span, chain))
        .with_help("a service calls another whose `allow` names its identity: take the retry, or one of these calls, away");
  }

  [[nodiscard]] std::string link(ServiceId id) const {
    return policy_.services[id].name + (tries_[id] > 1 ? " (" + std::to_string(tries_[id]) + " tries)" : "");
  }

  void report(ServiceId start, std::uint64_t product) {
    std::string chain = link(start);
    for (ServiceId id = start; next_[id] != id; id = next_[id]) chain += " -> " + link(next_[id]);
    analysis_
        .report(kinds::too_many_tries(policy_.services[start].span, std::to_string(product),
                                      std::to_string(policy_.amplification), chain))
        .with_help("fewer retries in one of them, or `mesh { amplification at_most " + std::to_string(product) + " }`");
  }

  Analysis& analysis_;
  const model::Policy& policy_;
  std::vector<std::uint64_t> tries_;
  std::vector<std::vector<ServiceId>> calls_;
  std::vector<std::vector<ServiceId>> rounds_;  // whoever is called before whoever calls
  std::vector<std::uint32_t> round_;            // of each service
  std::vector<std::uint64_t> worst_;            // product of tries from here on
  std::vector<ServiceId> next_;                 // on that way; itself: its end
};

}  // namespace

void check_amplification(Analysis& analysis) {
  const bool none = analysis.policy.retries.empty() || analysis.sink.has_errors();
  if (!none) Amplification(analysis).check();
}

}  // namespace heddle::sema
