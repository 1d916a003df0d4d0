#include "runtime/loader/decide_session.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "runtime/base/file.h"
#include "runtime/base/peers.h"
#include "runtime/loader/endpoints.h"
#include "runtime/loader/generation.h"
#include "runtime/loader/requirements.h"

namespace heddle::loader {
namespace {

hd_u16 flags_of(const DecideInput& input) {
  unsigned flags = input.draw ? HD_REQUEST_DRAW : 0;
  if (input.normalised) flags |= HD_REQUEST_NORMALISED;
  if (input.protocol == HD_PROTOCOL_TLS) flags |= HD_REQUEST_TLS;
  if (input.protocol == HD_PROTOCOL_TCP) flags |= HD_REQUEST_TCP;
  if (input.peer) flags |= HD_REQUEST_PEER;
  if (input.tunnelled) flags |= HD_REQUEST_TUNNEL;
  return static_cast<hd_u16>(flags);
}

/// Cgroup ids of the session's own; real ones do not matter here.
std::uint64_t cgroup_of(std::uint32_t workload) {
  return 1 + std::uint64_t{workload};
}

}  // namespace

/// The tables by which peers are known, as they are in the bundle.
class PeerTables {
 public:
  explicit PeerTables(const bundle::Bundle& bundle)
      : mesh_(bytes_of(bundle, "hd_mesh")), patterns_(bytes_of(bundle, "hd_patterns")), blob_(bytes_of(bundle, "hd_blob")) {}

  [[nodiscard]] std::optional<hd_peer> find(std::string_view spiffe) const {
    const std::string_view blob(reinterpret_cast<const char*>(blob_.data()), blob_.size());
    return Peers(values<hd_mesh>(mesh_), values<hd_pattern>(patterns_), blob).find(spiffe);
  }

 private:
  static std::vector<std::byte> bytes_of(const bundle::Bundle& bundle, const char* name) {
    const auto is_it = [name](const bundle::MapImage& map) { return map.name == name; };
    const auto found = std::find_if(bundle.maps.begin(), bundle.maps.end(), is_it);
    return found == bundle.maps.end() ? std::vector<std::byte>() : found->values;
  }
  template <typename T>
  static std::span<const T> values(const std::vector<std::byte>& bytes) {
    return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
  }

  std::vector<std::byte> mesh_;
  std::vector<std::byte> patterns_;
  std::vector<std::byte> blob_;
};

struct DecideSession::Parts {
  State state;
  Generation generation;
  MapView slots;
  MapView arena;
  EndpointStates states;
  PeerTables peers;
  std::size_t pages = 0;
  std::uint64_t calls = 0;

  /// Puts an input into slot `index`; its head begins at page `page`, and the page behind it is returned.
  std::uint32_t write(std::size_t index, const DecideInput& input, std::uint32_t page);
  /// How many of the inputs one call takes: as many as there are slots, and pages for their heads.
  [[nodiscard]] std::size_t fitting(std::span<const DecideInput> inputs) const;
  Result<void> round(std::span<const DecideInput> inputs, std::vector<hd_decision>& decisions);
  /// The first `count` slots.
  Result<void> run(std::size_t count);
  [[nodiscard]] hd_endpoint_state& state_of(std::uint32_t endpoint) const;
};

DecideSession::DecideSession(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
DecideSession::DecideSession(DecideSession&&) noexcept = default;
DecideSession& DecideSession::operator=(DecideSession&&) noexcept = default;
DecideSession::~DecideSession() = default;

Result<DecideSession> DecideSession::make(const bundle::Opened& opened, const Place& place) {
  if (Result<void> machine = check_machine(); !machine) return machine.error();
  if (Result<void> able = check_requirements(opened.manifest); !able) return able.error();
  Result<State> state = State::make_private();
  if (!state) return state.error();
  Result<Interner> interner = Interner::make(*state);
  if (!interner) return interner.error();
  Result<Generation> generation = Generation::load(opened, *state, *interner, 1, place);
  if (!generation) return generation.error();
  for (std::uint32_t i = 0; i < opened.manifest.workloads.size(); ++i) {
    Result<void> set = generation->set_cgroup(cgroup_of(i), hd_cgroup{HD_CGROUP_WORKLOAD, i});
    if (!set) return set.error();
  }
  Result<MapView> slots = MapView::make(state->fd("hd_slots"), HD_ROUND_MAX * sizeof(hd_slot), true);
  if (!slots) return slots.error();
  const Result<MapLayout> layout = map_layout(state->fd("hd_arena"));
  if (!layout) return layout.error();
  const std::size_t pages = layout->max_entries;
  Result<MapView> arena = MapView::make(state->fd("hd_arena"), pages * HD_PAGE_SIZE, true);
  if (!arena) return arena.error();
  Result<EndpointStates> states = EndpointStates::make(*state);
  if (!states) return states.error();
  if (Result<void> configured = generation->configure_endpoints(*state); !configured)
    return configured.error();
  if (Result<void> flipped = state->set_generation(1); !flipped) return flipped.error();
  return DecideSession(
      std::unique_ptr<Parts>(new Parts{std::move(*state), std::move(*generation), std::move(*slots),
                                       std::move(*arena), std::move(*states), PeerTables(opened.bundle), pages, 0}));
}

std::uint32_t DecideSession::Parts::write(std::size_t index, const DecideInput& input, std::uint32_t page) {
  hd_slot& slot = slots.as<hd_slot>()[index];
  std::memset(&slot, 0, sizeof(slot));
  slot.op = HD_OP_DECIDE;
  hd_request& request = slot.request;
  request.cgroup = input.workload ? cgroup_of(*input.workload) : 0;
  std::copy(input.source.address.begin(), input.source.address.end(), request.source);
  std::copy(input.destination.address.begin(), input.destination.address.end(), request.destination);
  request.source_port = input.source.port;
  request.destination_port = input.destination.port;
  request.form = static_cast<hd_u16>(input.form);
  request.flags = flags_of(input);
  if (input.peer) slot.peer = *input.peer;
  request.draw = input.draw.value_or(0);
  request.now = input.now_ns;
  request.page = page;
  const std::size_t length = std::min<std::size_t>(input.head.size(), HD_HEAD_MAX);
  request.head_length = static_cast<hd_u32>(length);
  std::copy_n(input.head.data(), length,
              reinterpret_cast<char*>(arena.data()) + std::size_t{page} * HD_PAGE_SIZE);
  return page + static_cast<std::uint32_t>((length + HD_PAGE_SIZE - 1) / HD_PAGE_SIZE);
}

std::size_t DecideSession::Parts::fitting(std::span<const DecideInput> inputs) const {
  std::size_t count = 0;
  for (std::size_t used = 0; count < inputs.size() && count < HD_ROUND_MAX; ++count) {
    const std::size_t length = std::min<std::size_t>(inputs[count].head.size(), HD_HEAD_MAX);
    used += (length + HD_PAGE_SIZE - 1) / HD_PAGE_SIZE;
    if (used > pages) break;
  }
  return count;
}

Result<void> DecideSession::Parts::round(std::span<const DecideInput> inputs,
                                         std::vector<hd_decision>& decisions) {
  std::uint32_t page = 0;
  for (std::size_t i = 0; i < inputs.size(); ++i) page = write(i, inputs[i], page);
  if (Result<void> ran = run(inputs.size()); !ran) return ran;
  for (std::size_t i = 0; i < inputs.size(); ++i) decisions.push_back(slots.as<hd_slot>()[i].decision);
  return {};
}

Result<void> DecideSession::Parts::run(std::size_t count) {
  hd_round context{0, static_cast<hd_u32>(count)};
  bpf_test_run_opts options{};
  options.sz = sizeof(options);
  options.ctx_in = &context;
  options.ctx_size_in = sizeof(context);
  ++calls;
  if (bpf_prog_test_run_opts(generation.program("decide"), &options) != 0) {
    return system_error("cannot run the loaded function", errno);
  }
  if (options.retval != 0) {
    return Error{ErrorKind::io, "the loaded function answered " + std::to_string(options.retval), ""};
  }
  return {};
}

Result<std::vector<hd_decision>> DecideSession::decide(std::span<const DecideInput> inputs) {
  std::vector<hd_decision> decisions;
  decisions.reserve(inputs.size());
  while (!inputs.empty()) {
    const std::size_t count = parts_->fitting(inputs);
    if (Result<void> done = parts_->round(inputs.first(count), decisions); !done) return done.error();
    inputs = inputs.subspan(count);
  }
  return decisions;
}

std::string DecideSession::rule_id(std::uint32_t rule) const {
  const auto& rules = manifest().rules;
  return rule < rules.size() ? rules[rule].id : "-";
}

const bundle::Manifest& DecideSession::manifest() const {
  return parts_->generation.manifest();
}

std::optional<hd_peer> DecideSession::find_peer(std::string_view spiffe) const {
  return parts_->peers.find(spiffe);
}

Result<std::uint64_t> DecideSession::decisions(std::uint32_t rule) const {
  return read_counter(parts_->state, parts_->generation.counters().at(rule));
}

hd_endpoint_state& DecideSession::Parts::state_of(std::uint32_t endpoint) const {
  return states.at(generation.endpoint_slots().at(endpoint));
}

void DecideSession::set_unhealthy(std::uint32_t endpoint, bool unhealthy) {
  parts_->state_of(endpoint).unhealthy = static_cast<hd_u16>(unhealthy ? 1 : 0);
}

void DecideSession::set_ejected(std::uint32_t endpoint, bool ejected) {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const std::uint64_t later = (static_cast<std::uint64_t>(now.tv_sec) + 60) * 1000000000U;
  parts_->state_of(endpoint).ejected_until = ejected ? later : 0;
}

void DecideSession::set_in_flight(std::uint32_t endpoint, std::uint32_t requests) {
  parts_->state_of(endpoint).in_flight = requests;
}

hd_endpoint_state DecideSession::endpoint_state(std::uint32_t endpoint) const {
  return parts_->state_of(endpoint);
}

std::uint32_t DecideSession::endpoint_slot(std::uint32_t endpoint) const {
  return parts_->generation.endpoint_slots().at(endpoint);
}

std::size_t DecideSession::accounts() const {
  const int accounts = parts_->generation.table("hd_accounts");
  std::size_t count = 0;
  hd_account_key key{};
  hd_account_key next{};
  for (const void* from = nullptr; bpf_map_get_next_key(accounts, from, &next) == 0; from = &key, ++count) key = next;
  return count;
}

void DecideSession::forget_accounts() {
  const int accounts = parts_->generation.table("hd_accounts");
  hd_account_key key{};
  while (bpf_map_get_next_key(accounts, nullptr, &key) == 0) bpf_map_delete_elem(accounts, &key);
}

void DecideSession::end_all() {
  for (const std::uint32_t slot : parts_->generation.endpoint_slots()) parts_->states.at(slot).in_flight = 0;
}

Result<void> DecideSession::finish(const hd_event& event) {
  hd_slot& slot = parts_->slots.as<hd_slot>()[0];
  slot.op = HD_OP_FINISH;
  slot.finish = event;
  return parts_->run(1);
}

Result<hd_latency> DecideSession::latency(std::uint32_t rule) const {
  return read_latency(parts_->state, parts_->generation.counters().at(rule));
}

int DecideSession::table(std::string_view name) const {
  return parts_->generation.table(name);
}

int DecideSession::program() const {
  return parts_->generation.program("decide");
}

std::uint32_t DecideSession::timeout_ms(std::uint32_t rule) const {
  hd_rule entry{};
  if (bpf_map_lookup_elem(parts_->generation.table("hd_rules"), &rule, &entry) != 0) return 0;
  return entry.timeout_ms;
}

std::uint64_t DecideSession::calls() const {
  return parts_->calls;
}

}  // namespace heddle::loader
