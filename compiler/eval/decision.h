#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "compiler/eval/accounts.h"
#include "compiler/eval/destination.h"
#include "compiler/eval/maglev.h"
#include "compiler/eval/match.h"
#include "compiler/eval/outcome.h"
#include "compiler/eval/refusal.h"
#include "compiler/eval/request.h"
#include "compiler/eval/tested.h"
#include "compiler/eval/world.h"

namespace heddle::eval {

/// One decision on its way through the steps. Every step either leaves the decision open or ends it: then it
/// has set the outcome and returns true.
class Decision {
 public:
  /// `trace` may be null. `tested` is by service.
  Decision(const model::Policy& policy, const World& world, const std::vector<TestedNames>& tested,
           const Request& request, Accounts& accounts, MaglevSlots& slots, std::vector<Step>* trace,
           const FilterAnswers& filters = {});

  Outcome run();
  /// Filters of which an answer was needed that is not known.
  [[nodiscard]] const std::set<model::FilterId>& asked_filters() const { return facts_.asked_filters; }

 private:
  bool decide_destination();
  bool decide_form();
  bool decide_name();
  void refuse(const Refusal& refusal);
  void find_caller();
  bool decide_access(const model::Service& to);
  void audit(const model::Service& to);
  void audit_block(const std::string& service, const model::Access& block);
  bool decide_limits();
  void decide_direct();
  void decide_route();

  void deny(const std::string& rule);
  bool answer_preflight();
  void forward(const std::string& rule, Pool pool);
  void set_forwarded();
  bool is_repeated();
  [[nodiscard]] bool lets_in(model::ServiceId service) const;
  [[nodiscard]] bool may_retry(const model::RetryPolicy& retry) const;
  [[nodiscard]] bool says_more() const;
  bool aborts(const model::RouteRule& rule);
  [[nodiscard]] std::optional<std::string> maglev_value(const model::Service& service) const;
  void fail(Verdict verdict);
  void split(const model::RouteRule& rule);
  void respond(const model::Respond& answer);
  void say_why();
  void take(const model::RouteRule& rule);

  [[nodiscard]] const model::Service& service() const;
  [[nodiscard]] bool is_http() const { return model::has_requests(service().protocol); }
  [[nodiscard]] bool is_tls() const { return service().protocol == model::Protocol::tls; }
  Match applies(const std::optional<model::Condition>& when) const;
  bool access_applies(const model::AccessRule& rule, bool audited);
  const model::AccessRule* first_access(const model::Access& access, model::Effect effect, bool audited);
  void note(const std::function<Step()>& step);

  const model::Policy& policy_;
  const World& world_;
  const std::vector<TestedNames>& tested_;
  const Request& request_;
  Accounts& accounts_;
  MaglevSlots& slots_;
  std::vector<Step>* trace_;

  std::optional<Destination> destination_;
  std::optional<Head> head_;
  const model::RouteRule* rule_ = nullptr;   // of the route, that was taken
  const model::SplitPart* part_ = nullptr;  // of its split
  Facts facts_;
  Outcome outcome_;
};

}  // namespace heddle::eval
