#include "compiler/cli/kernel_engine.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "compiler/cli/build_bundle.h"
#include "compiler/eval/answer.h"
#include "compiler/eval/caller.h"
#include "compiler/eval/destination.h"
#include "compiler/eval/framing.h"
#include "compiler/eval/head.h"
#include "compiler/eval/server_name.h"
#include "compiler/eval/test_run.h"

namespace heddle::cli {

namespace {

/// A head as the handler passes it on: what is wrong with its frame, and origin-form for absolute-form.
struct Received {
  std::string head;
  std::string normal;  // its path in the canonical form
  hd_form form = HD_FORM_OK;
};

/// The head as read, or why not: whatever does not depend on the policy.
std::optional<eval::Head> read_frame(const std::string& raw, const model::Paths& paths, eval::Refusal& refusal) {
  auto head = eval::read_head(raw, paths, refusal);
  if (!head) return std::nullopt;
  const auto wrong = eval::check_framing(*head, {});
  if (!wrong) return head;
  refusal = *wrong;
  return std::nullopt;
}

std::string origin_form(std::string raw, const eval::Head& head) {
  if (!head.authority) return raw;
  const std::size_t target = head.method.size() + 1;
  raw.erase(target, std::string_view("http://").size() + head.authority->size());
  if (raw[target] != '/') raw.insert(target, "/");
  return raw;
}

/// With the target in its normal form.
std::string normal_form(std::string raw, const eval::Head& head) {
  const std::size_t begin = head.method.size() + 1;
  const std::size_t end = raw.find(' ', begin);
  return raw.replace(begin, end - begin, head.path + (head.query ? "?" + *head.query : ""));
}

Received receive(const std::string& raw, const model::Paths& paths) {
  eval::Refusal refusal;
  if (const auto head = read_frame(raw, paths, refusal)) return {origin_form(raw, *head), normal_form(raw, *head), HD_FORM_OK};
  const bool path = refusal.rule == std::string_view(model::rule_path);  // the kernel finds it by itself
  return {raw, raw, path ? HD_FORM_OK : static_cast<hd_form>(refusal.status)};
}

std::optional<std::uint32_t> find_workload(const bundle::Manifest& manifest, const std::string& spiffe) {
  for (std::uint32_t index = 0; index < manifest.workloads.size(); ++index) {
    if (manifest.workloads[index].spiffe == spiffe) return index;
  }
  return std::nullopt;
}

eval::Verdict verdict_of(unsigned verdict) {
  using eval::Verdict;
  static constexpr std::array<Verdict, 6> verdicts = {Verdict::forward, Verdict::respond,   Verdict::deny,
                                                      Verdict::refuse,  Verdict::unhealthy, Verdict::outside};
  if (verdict == HD_VERDICT_FULL) return Verdict::full;
  if (verdict == HD_VERDICT_LIMITED) return Verdict::limited;
  if (verdict < HD_VERDICT_FORWARD || verdict > HD_VERDICT_OUTSIDE) std::abort();
  return verdicts.at(verdict - HD_VERDICT_FORWARD);
}

/// The pool that manifests call `reviews` or `reviews.v1`.
std::optional<eval::Pool> find_pool(const model::Policy& policy, const std::string& name) {
  for (model::ServiceId service = 0; service < policy.services.size(); ++service) {
    const model::Service& owner = policy.services[service];
    if (name == owner.name) return eval::Pool{service, std::nullopt};
    for (std::uint32_t subset = 0; subset < owner.subsets.size(); ++subset) {
      if (name == owner.name + "." + owner.subsets[subset].name) return eval::Pool{service, subset};
    }
  }
  return std::nullopt;
}

/// The handler writes them; which of its rule's answers it takes is the decision's.
std::map<std::string, std::string> headers_of(const model::Policy& policy, const eval::Outcome& outcome,
                                              std::uint16_t number, const eval::Request& request) {
  std::map<std::string, std::string> headers = {{"content-type", model::plain_text}};
  if (outcome.retry_after != 0) headers["retry-after"] = std::to_string(outcome.retry_after);
  if (outcome.verdict != eval::Verdict::respond) return headers;
  const model::RouteRule* rule = eval::find_route_rule(policy, outcome.rule);
  eval::Refusal refusal;
  const auto head = eval::read_head(request.head, policy.services[*outcome.service].paths, refusal);
  if (rule == nullptr || !head || number >= rule->target.answers().size()) std::abort();
  return eval::answer_headers(*rule->target.answers()[number], *head, request.destination);
}

eval::EngineFailure as_failure(const Error& error) {
  return {error.what, error.help};
}

}  // namespace

Result<std::unique_ptr<KernelEngine>> KernelEngine::make(const Checked& checked, const eval::Place& agent) {
  const auto opened = bundle::open(build_bundle(checked).file);
  if (!opened) return opened.error();
  auto session = loader::DecideSession::make(*opened, {agent.zone, agent.node});
  if (!session) return session.error();
  return std::unique_ptr<KernelEngine>(new KernelEngine(*checked.policy, std::move(*session)));
}

eval::Answer KernelEngine::decide(const eval::Request& request) {
  loader::DecideInput input;
  if (request.spiffe) {
    // Whoever is no workload of the policy comes from elsewhere, with a certificate.
    input.workload = find_workload(session_.manifest(), *eval::own_spiffe(policy_, request.spiffe));
    if (!input.workload) input.peer = session_.find_peer(*request.spiffe);
    if (!input.workload && !input.peer) return eval::EngineFailure{"`" + *request.spiffe + "` is no SPIFFE ID", ""};
  }
  input.tunnelled = request.tunnelled;
  const auto to = input.tunnelled ? eval::find_server(policy_, request.destination) : eval::find_destination(policy_, request.destination);
  const Received received = receive(request.head, to ? policy_.services[to->service].paths : model::Paths{});
  input.source = {request.source.ip.bytes, request.source.port};
  input.destination = {request.destination.ip.bytes, request.destination.port};
  input.form = request.head.empty() ? HD_FORM_OK : received.form;
  input.head = received.head;
  const auto protocol = to ? policy_.services[to->service].protocol : model::Protocol::http;
  if (protocol == model::Protocol::tcp) input.protocol = HD_PROTOCOL_TCP;
  if (protocol == model::Protocol::tls) {
    input.protocol = HD_PROTOCOL_TLS;
    if (request.sni && eval::check_server_name(*request.sni)) input.form = HD_FORM_MALFORMED;
    input.head = request.sni ? std::string_view(*request.sni) : std::string_view();
  }
  input.draw = request.draw;
  input.now_ns = request.now_ns + 1;  // 0 would be the clock
  auto decisions = session_.decide({&input, 1});
  if (decisions && decisions->front().verdict == HD_VERDICT_HANDLER) {
    input.head = received.normal;
    input.normalised = true;
    decisions = session_.decide({&input, 1});
  }
  if (!decisions) return as_failure(decisions.error());
  session_.end_all();  // the clock stands still: a request has ended before the next one
  return in_words(decisions->front(), request);
}

eval::Outcome KernelEngine::in_words(const hd_decision& decision, const eval::Request& request) const {
  const bundle::Manifest& manifest = session_.manifest();
  eval::Outcome outcome;
  outcome.verdict = verdict_of(decision.verdict);
  outcome.rule = session_.rule_id(decision.rule);
  if (decision.access != HD_NONE) outcome.access_rule = session_.rule_id(decision.access);
  if (eval::find_route_rule(policy_, outcome.rule) != nullptr) outcome.route_rule = outcome.rule;
  if (decision.service == HD_NONE) return outcome;
  outcome.service = manifest.service_of(decision.service);
  if (model::has_requests(policy_.services[*outcome.service].protocol)) outcome.status = decision.status;
  if (decision.pool != HD_NONE)
    outcome.pool = find_pool(policy_, manifest.pools[decision.pool].name);
  if (outcome.verdict == eval::Verdict::limited) outcome.retry_after = decision.port;
  if (outcome.status != 0) outcome.headers = headers_of(policy_, outcome, decision.port, request);
  if (outcome.verdict == eval::Verdict::forward) {
    model::SocketAddress address;
    std::copy(std::begin(decision.address), std::end(decision.address), address.ip.bytes.begin());
    address.port = decision.port;
    outcome.endpoints = {address};
    outcome.timeout_ms = session_.timeout_ms(decision.rule);
    eval::Refusal refusal;
    const model::Service& service = policy_.services[*outcome.service];
    // What the handler sends on is the head that was decided, without what ends at this hop.
    if (model::has_requests(service.protocol)) {
      auto head = eval::read_head(request.head, service.paths, refusal);
      if (!head || eval::check_framing(*head, {})) std::abort();
      outcome.forwarded = eval::forwarded_head(*head, false, service.protocol);
    }
  }
  return outcome;
}

}  // namespace heddle::cli
