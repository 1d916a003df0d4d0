#include "compiler/sema/capacity.h"

#include <algorithm>
#include <string_view>

#include "compiler/diagnostics/kinds.h"
#include "compiler/sema/numbers.h"

namespace heddle::sema {

namespace kinds = diagnostics::kinds;

namespace {

constexpr std::uint32_t most_failures = 1000000;
constexpr std::uint32_t most_connections = 1000000;
constexpr std::uint32_t most_weight = 65535;
constexpr std::uint64_t whole = 1000000;

std::optional<std::uint32_t> check_share(Analysis& analysis, const ast::Number& share) {
  const char* wrong = nullptr;
  const auto parts = parts_of_million(share.text);
  if (!parts) {
    wrong = "a percentage is at most 100% and has at most four decimals";
  } else if (*parts == 0) {
    wrong = "nothing would ever be ejected";
  }
  if (wrong == nullptr) return parts;
  analysis.report(kinds::bad_share(share.span, share.text, wrong));
  return std::nullopt;
}

/// The one capacity of its kind; null if it is not written.
const ast::Capacity* find_capacity(Analysis& analysis, const ast::AtMost& node, bool pending) {
  std::vector<ast::Capacity> same;
  const ast::Capacity* first = nullptr;
  for (const ast::Capacity& one : node.capacities) {
    if (one.pending != pending) continue;
    if (first == nullptr) first = &one;
    same.push_back(one);
  }
  only(analysis, same, pending ? "pending" : "connections", [](const ast::Capacity& c) { return c.span; });
  return first;
}

}  // namespace

void check_balance(Analysis& analysis, const ast::Service& node, model::Service& service) {
  const auto* balance = only(analysis, node.balances, "balance", [](const ast::Balance& b) { return b.span; });
  if (balance == nullptr) return;
  if (balance->prefer) service.prefer = balance->prefer->word.substr(std::string_view("same_").size());
  if (balance->word == "random") service.balance = model::Balance::random;
  if (balance->word == "least_request") service.balance = model::Balance::least_request;
  if (balance->word == "maglev") service.balance = model::Balance::maglev;
}

void check_eject(Analysis& analysis, const ast::Service& node, model::Service& service) {
  const auto* written = only(analysis, node.ejects, "eject", [](const ast::Eject& e) { return e.span; });
  if (written == nullptr) return;
  const auto failures = number_in(analysis.sink, written->failures, "a number of failures", 1, most_failures);
  const auto time = milliseconds(analysis.sink, written->time);
  std::optional<std::uint32_t> share = whole;
  if (written->share) share = check_share(analysis, *written->share);
  if (failures && time && share) service.eject = model::Eject{*failures, *time, *share};
}

void check_at_most(Analysis& analysis, const ast::Service& node, model::Service& service) {
  const auto* written = only(analysis, node.at_mosts, "at_most", [](const ast::AtMost& a) { return a.span; });
  if (written == nullptr) return;
  const ast::Capacity* connections = find_capacity(analysis, *written, false);
  const ast::Capacity* pending = find_capacity(analysis, *written, true);
  if (connections == nullptr) {
    analysis.report(kinds::missing_item(written->span, "`at_most` of service", service.name, "connections"))
        .with_help("requests wait where connections are bounded: `at_most 100 connections, 10 pending`");
  }
  if (pending != nullptr && !model::has_requests(service.protocol)) {
    analysis.report(kinds::not_on_tcp(pending->span, "pending", service.name, model::protocol_name(service.protocol)))
        .with_help("a connection does not wait: beyond `at_most … connections` it is refused");
    return;
  }
  std::optional<std::uint32_t> number;
  if (connections != nullptr)
    number = number_in(analysis.sink, connections->number, "a number of connections", 1, most_connections);
  std::optional<std::uint32_t> waiting = 0;
  if (pending != nullptr)
    waiting = number_in(analysis.sink, pending->number, "a number of requests", 0, most_connections);
  if (number && waiting) service.at_most = model::AtMost{*number, *waiting};
}

std::uint32_t check_weight(Analysis& analysis, const ast::Endpoint& node) {
  const auto* weight = only(analysis, node.weights, "weight", [](const ast::Number& n) { return n.span; });
  if (weight == nullptr) return 1;
  return number_in(analysis.sink, *weight, "the weight of an endpoint", 1, most_weight).value_or(1);
}

void warn_prefers_nobody(Analysis& analysis, const ast::Service& node, const model::Service& service) {
  if (service.prefer.empty() || service.endpoints.empty()) return;
  const auto has = [&](const model::Endpoint& endpoint) { return endpoint.labels.contains(service.prefer); };
  if (std::ranges::any_of(service.endpoints, has)) return;
  analysis.report(kinds::prefers_nobody(node.balances.front().prefer->span, service.name, service.prefer))
      .with_help("say where each endpoint is: `endpoint " + service.endpoints.front().address.text() + " { " +
                 service.prefer + " \"…\" }`");
}

void warn_never_ejects(Analysis& analysis, const ast::Service& node, const model::Service& service) {
  const std::uint64_t count = service.endpoints.size();
  // With one endpoint or none there is nothing to say: it is the last one in any case.
  if (!service.eject || count < 2 || node.ejects.empty() || !node.ejects.front().share) return;
  if (service.eject->share_ppm * count >= whole) return;
  analysis
      .report(kinds::never_ejects(node.ejects.front().share->span, percent_text(service.eject->share_ppm),
                                  std::uint32_t(count)))
      .with_help("one of " + std::to_string(count) + " is " + percent_text((whole + count - 1) / count) +
                 "%");
}

}  // namespace heddle::sema
