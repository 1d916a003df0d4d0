#include "tests/differential/compiled.h"

#include <algorithm>
#include <array>

#include "compiler/emit/generate.h"
#include "compiler/emit/images.h"
#include "compiler/emit/manifest.h"
#include "compiler/plan/plan.h"
#include "runtime/bundle/bundle.h"
#include "compiler/eval/destination.h"
#include "runtime/handler/http/normalise.h"
#include "runtime/handler/http/rewrite.h"
#include "runtime/handler/tls/client_hello.h"

namespace heddle::differential {
namespace {

Error broken(const std::string& what) {
  return {ErrorKind::invalid, what, ""};
}

bundle::MapImage as_bundled(emit::Image&& image) {
  return {std::move(image.name), image.key_size,        image.value_size,       image.max_entries,
          image.count,           std::move(image.keys), std::move(image.values)};
}

Result<bundle::Opened> build(const model::Policy& policy, const source::SourceManager& sources,
                             const plan::CodeBounds& bounds) {
  const plan::PlanResult planned = plan::make_plan(policy, bounds);
  if (!planned.errors.empty()) return broken("no plan: " + planned.errors.front().what);
  const emit::Generated object = emit::generate(planned.plan, emit::Product::object);
  if (!object.ok) return broken("no code: " + object.error);
  std::vector<emit::Image> images = emit::make_images(planned.plan.tables);
  bundle::Bundle bundle;
  const auto* bytes = reinterpret_cast<const std::byte*>(object.bytes.data());
  bundle.object.assign(bytes, bytes + object.bytes.size());
  bundle.manifest = emit::make_manifest(policy, planned.plan, images, sources, "test");
  for (emit::Image& image : images) bundle.maps.push_back(as_bundled(std::move(image)));
  return bundle::open(bundle::serialize(bundle));
}

loader::SocketAddress as_loaded(const model::SocketAddress& address) {
  return {address.ip.bytes, address.port};
}

/// The head as the handler gives it to the kernel; none: it goes on waiting for the head's end.
struct Head {
  std::string bytes;
  hd_form form = HD_FORM_OK;
};

std::optional<Head> receive(const std::string& raw) {
  if (raw.empty()) return Head{};  // a tcp connection
  http::HeadEnd end;
  const std::string_view window = std::string_view(raw).substr(0, HD_HEAD_MAX);
  const auto length = end.find(window);
  if (!length) {
    if (raw.size() <= HD_HEAD_MAX) return std::nullopt;
    return Head{std::string(window), HD_FORM_HEAD_TOO_LARGE};
  }
  Head head{raw.substr(0, *length), HD_FORM_OK};
  const http::Request request = http::parse_request(head.bytes);
  head.form = request.form;
  head.bytes.erase(0, http::make_origin_form(head.bytes.data(), request));
  return head;
}

/// The name as the handler gives it to the kernel, which has read it in a ClientHello.
Head receive_name(const eval::Request& request) {
  if (!request.sni) return {};
  const bool right = tls::is_server_name(*request.sni);
  return {right ? *request.sni : "", right ? HD_FORM_OK : HD_FORM_MALFORMED};
}

/// The texts of a bundle as the handler reads them.
class OwnTables final : public handler::Tables {
 public:
  explicit OwnTables(std::vector<bundle::MapImage> maps)
      : Tables({values<hd_rule>(maps, "hd_rules"), values<hd_service>(maps, "hd_services"),
                values<hd_answer>(maps, "hd_answers"), values<hd_mesh>(maps, "hd_mesh"),
                values<hd_pattern>(maps, "hd_patterns"), values<hd_workload>(maps, "hd_workloads"),
                values<hd_endpoint>(maps, "hd_endpoints"), text(maps, "hd_blob")}),
        maps_(std::move(maps)) {}

 private:
  static const std::vector<std::byte>& bytes(const std::vector<bundle::MapImage>& maps, const char* name) {
    return std::find_if(maps.begin(), maps.end(), [name](const auto& map) { return map.name == name; })->values;
  }
  template <typename T>
  static std::span<const T> values(const std::vector<bundle::MapImage>& maps, const char* name) {
    return {reinterpret_cast<const T*>(bytes(maps, name).data()), bytes(maps, name).size() / sizeof(T)};
  }
  static std::string_view text(const std::vector<bundle::MapImage>& maps, const char* name) {
    return {reinterpret_cast<const char*>(bytes(maps, name).data()), bytes(maps, name).size()};
  }

  std::vector<bundle::MapImage> maps_;
};

std::ptrdiff_t as_offset(std::size_t index) {
  return static_cast<std::ptrdiff_t>(index);
}

const char* verdict_text(unsigned verdict) {
  static constexpr std::array<const char*, 10> names = {"none",      "forward", "respond", "deny", "refuse",
                                                        "unhealthy", "outside", "handler", "full", "limited"};
  return verdict < names.size() ? names[verdict] : "unknown";
}

std::string name_at(const auto& list, std::uint32_t index) {
  return index < list.size() ? list[index].name : "";
}

}  // namespace

Result<CompiledPolicy> CompiledPolicy::make(const model::Policy& policy,
                                            const source::SourceManager& sources,
                                            const plan::CodeBounds& bounds, const eval::Place& agent) {
  const auto opened = build(policy, sources, bounds);
  if (!opened) return opened.error();
  auto session = loader::DecideSession::make(*opened, {agent.zone, agent.node});
  if (!session) return session.error();
  return CompiledPolicy(policy, std::move(*session), std::make_unique<OwnTables>(opened->bundle.maps));
}

std::optional<eval::Destination> CompiledPolicy::destination_of(const model::SocketAddress& address, bool tunnelled) const {
  return tunnelled ? eval::find_server(policy_, address) : eval::find_destination(policy_, address);
}

hd_protocol CompiledPolicy::protocol_of(const eval::Request& request) const {
  const auto to = destination_of(request.destination, request.tunnelled);
  if (!to || model::has_requests(policy_.services[to->service].protocol)) return HD_PROTOCOL_HTTP;
  return policy_.services[to->service].protocol == model::Protocol::tls ? HD_PROTOCOL_TLS : HD_PROTOCOL_TCP;
}

Result<std::vector<std::optional<Compiled>>> CompiledPolicy::decide(const std::vector<Case>& cases) {
  std::vector<std::optional<Head>> heads;
  for (const Case& made : cases) {
    const bool name = protocol_of(made.request) == HD_PROTOCOL_TLS;
    heads.push_back(name ? receive_name(made.request) : receive(made.request.head));
  }
  std::vector<loader::DecideInput> inputs;
  for (std::size_t at = 0; at < cases.size(); ++at) {
    if (!heads[at]) continue;
    const eval::Request& request = cases[at].request;
    inputs.push_back({cases[at].caller, as_loaded(request.source), as_loaded(request.destination),
                      heads[at]->form, heads[at]->bytes, request.draw, request.now_ns});
    inputs.back().protocol = protocol_of(request);
    inputs.back().tunnelled = request.tunnelled;
    // Who is no workload has a certificate: the worker reads it by its own tables.
    if (!cases[at].caller && request.spiffe) inputs.back().peer = tables_->find_peer(*request.spiffe);
  }
  std::vector<std::optional<Compiled>> answers(cases.size());
  for (std::size_t at = 0, next = 0; at < cases.size();) {
    // A world is for one case; those without go together.
    std::size_t end = at + 1;
    while (end < cases.size() && !cases[at].world && !cases[end].world) ++end;
    if (cases[at].world) set_world(*cases[at].world);
    const auto asked = static_cast<std::size_t>(
        std::count_if(heads.begin() + as_offset(at), heads.begin() + as_offset(end),
                      [](const std::optional<Head>& head) { return head.has_value(); }));
    auto decisions = session_.decide(std::span(inputs).subspan(next, asked));
    if (!decisions) return decisions.error();
    for (auto decision = decisions->begin(); at < end; ++at) {
      if (!heads[at]) continue;
      std::string head = heads[at]->bytes;
      if (decision->verdict == HD_VERDICT_HANDLER) {
        const auto again = decide_normalised(inputs[next], head);
        if (!again) return again.error();
        *decision = *again;
      }
      answers[at] = in_words(*decision);
      add_answer(*decision++, head, cases[at].request.destination, *answers[at]);
      ++next;
    }
  }
  return answers;
}

Result<std::map<std::string, std::uint64_t>> CompiledPolicy::counted() const {
  std::map<std::string, std::uint64_t> counts;
  const auto& rules = session_.manifest().rules;
  for (std::uint32_t rule = 0; rule < rules.size(); ++rule) {
    const auto count = session_.decisions(rule);
    if (!count) return count.error();
    counts[rules[rule].id] = *count;  // rules of `access every` share one counter
  }
  return counts;
}

/// As the handler does it: the head once more, its path in the canonical form.
Result<hd_decision> CompiledPolicy::decide_normalised(loader::DecideInput input, std::string& head) {
  const auto to = destination_of({{input.destination.address}, input.destination.port}, input.tunnelled);
  static constexpr std::array<http::PathMode, 3> modes = {http::PathMode::strict, http::PathMode::merge,
                                                          http::PathMode::decode};
  if (!to) return broken("the head of a request to nobody is not canonical");
  const http::PathMode mode = modes.at(static_cast<std::size_t>(policy_.services[to->service].paths.mode));
  head.erase(0, http::normalise_target(head.data(), static_cast<std::uint32_t>(head.size()), mode));
  input.head = head;
  input.normalised = true;
  auto decisions = session_.decide({&input, 1});
  if (!decisions) return decisions.error();
  return decisions->front();
}

void CompiledPolicy::add_answer(const hd_decision& decision, const std::string& head, const model::SocketAddress& dialled,
                                Compiled& words) const {
  if (decision.verdict != HD_VERDICT_RESPOND) return;
  const hd_answer* answer = tables_->answer(decision.rule, decision.port);
  if (answer == nullptr) {
    words.body = "no answer " + std::to_string(decision.port);
    return;
  }
  words.body = tables_->text(answer->body);
  words.type = tables_->text(answer->type);
  if ((answer->flags & HD_ANSWER_REDIRECT) == 0) return;
  words.location =
      http::make_location(tables_->relocation(*answer), head, {dialled.ip.bytes, dialled.port}).value_or("none");
}

void CompiledPolicy::set_world(const eval::World& world) {
  const auto& endpoints = session_.manifest().endpoints;
  for (const auto& [address, state] : world.endpoints) {
    const auto is_it = [text = address.text()](const auto& endpoint) { return endpoint.address == text; };
    const auto found = std::find_if(endpoints.begin(), endpoints.end(), is_it);
    const auto number = static_cast<std::uint32_t>(found - endpoints.begin());
    session_.set_unhealthy(number, state.unhealthy);
    session_.set_ejected(number, state.ejected);
    session_.set_in_flight(number, state.in_flight);
  }
}

Compiled CompiledPolicy::in_words(const hd_decision& decision) const {
  const bundle::Manifest& manifest = session_.manifest();
  Compiled words;
  words.verdict = verdict_text(decision.verdict);
  const std::uint32_t service = manifest.service_of(decision.service);
  const bool http = service < manifest.services.size() && manifest.services[service].protocol == "http";
  words.status = http ? decision.status : hd_u16{0};  // a connect is refused without words, and so is what belongs to nobody
  words.rule = session_.rule_id(decision.rule);
  words.access_rule = decision.access == HD_NONE ? "" : session_.rule_id(decision.access);
  words.service = name_at(manifest.services, service);
  words.pool = name_at(manifest.pools, decision.pool);
  if (decision.verdict == HD_VERDICT_LIMITED) words.retry_after = decision.port;
  if (decision.verdict == HD_VERDICT_FORWARD) {
    model::SocketAddress address;
    std::copy(std::begin(decision.address), std::end(decision.address), address.ip.bytes.begin());
    address.port = decision.port;
    words.endpoint = address;
    words.timeout_ms = session_.timeout_ms(decision.rule);
  }
  return words;
}

}  // namespace heddle::differential
