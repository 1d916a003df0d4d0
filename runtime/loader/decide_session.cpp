#include "runtime/loader/decide_session.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "runtime/base/file.h"
#include "runtime/loader/generation.h"
#include "runtime/loader/requirements.h"

namespace heddle::loader {
namespace {

/// Cgroup ids of the session's own; real ones do not matter here.
std::uint64_t cgroup_of(std::uint32_t workload) {
  return 1 + std::uint64_t{workload};
}

}  // namespace

struct DecideSession::Parts {
  State state;
  Generation generation;
  MapView slots;
  MapView arena;
  std::size_t pages = 0;
  std::uint64_t calls = 0;

  /// Puts an input into slot `index`; its head begins at page `page`, and the page behind it is returned.
  std::uint32_t write(std::size_t index, const DecideInput& input, std::uint32_t page);
  Result<void> round(std::span<const DecideInput> inputs, std::vector<hd_decision>& decisions);
};

DecideSession::DecideSession(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
DecideSession::DecideSession(DecideSession&&) noexcept = default;
DecideSession& DecideSession::operator=(DecideSession&&) noexcept = default;
DecideSession::~DecideSession() = default;

Result<DecideSession> DecideSession::make(const bundle::Opened& opened) {
  if (Result<void> machine = check_machine(); !machine) return machine.error();
  if (Result<void> able = check_requirements(opened.manifest); !able) return able.error();
  Result<State> state = State::make_private();
  if (!state) return state.error();
  Result<Interner> interner = Interner::make(*state);
  if (!interner) return interner.error();
  Result<Generation> generation = Generation::load(opened, *state, *interner, 1);
  if (!generation) return generation.error();
  for (std::uint32_t i = 0; i < opened.manifest.workloads.size(); ++i) {
    Result<void> set = generation->set_cgroup(cgroup_of(i), hd_cgroup{HD_CGROUP_WORKLOAD, i});
    if (!set) return set.error();
  }
  Result<MapView> slots = MapView::make(state->fd("hd_slots"), HD_ROUND_MAX * sizeof(hd_slot), true);
  if (!slots) return slots.error();
  const std::size_t pages = std::size_t{HD_PAGES_PER_WORKER} * HD_WORKERS_MAX;
  Result<MapView> arena = MapView::make(state->fd("hd_arena"), pages * HD_PAGE_SIZE, true);
  if (!arena) return arena.error();
  if (Result<void> flipped = state->set_generation(1); !flipped) return flipped.error();
  return DecideSession(std::unique_ptr<Parts>(
      new Parts{std::move(*state), std::move(*generation), std::move(*slots), std::move(*arena), pages, 0}));
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
  request.flags = input.draw ? HD_REQUEST_DRAW : 0;
  request.draw = input.draw.value_or(0);
  request.page = page;
  const std::size_t length = std::min<std::size_t>(input.head.size(), HD_HEAD_MAX);
  request.head_length = static_cast<hd_u32>(length);
  std::copy_n(input.head.data(), length,
              reinterpret_cast<char*>(arena.data()) + std::size_t{page} * HD_PAGE_SIZE);
  return page + static_cast<std::uint32_t>((length + HD_PAGE_SIZE - 1) / HD_PAGE_SIZE);
}

Result<void> DecideSession::Parts::round(std::span<const DecideInput> inputs,
                                         std::vector<hd_decision>& decisions) {
  std::uint32_t page = 0;
  for (std::size_t i = 0; i < inputs.size(); ++i) page = write(i, inputs[i], page);
  hd_round context{0, static_cast<hd_u32>(inputs.size())};
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
  for (std::size_t i = 0; i < inputs.size(); ++i) decisions.push_back(slots.as<hd_slot>()[i].decision);
  return {};
}

Result<std::vector<hd_decision>> DecideSession::decide(std::span<const DecideInput> inputs) {
  std::vector<hd_decision> decisions;
  decisions.reserve(inputs.size());
  while (!inputs.empty()) {
    const std::size_t count = std::min<std::size_t>(inputs.size(), HD_ROUND_MAX);
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

Result<std::uint64_t> DecideSession::decisions(std::uint32_t rule) const {
  return read_counter(parts_->state, parts_->generation.counters().at(rule));
}

Result<void> DecideSession::set_unhealthy(std::uint32_t endpoint, bool unhealthy) {
  const std::uint32_t slot = parts_->generation.endpoint_slots().at(endpoint);
  hd_endpoint_state state{};
  if (bpf_map_lookup_elem(parts_->state.fd("hd_endpoint_state"), &slot, &state) != 0)
    return system_error("cannot read `hd_endpoint_state`", errno);
  state.unhealthy = unhealthy ? 1 : 0;
  return write_entry(parts_->state.fd("hd_endpoint_state"), &slot, &state);
}

std::uint64_t DecideSession::calls() const {
  return parts_->calls;
}

}  // namespace heddle::loader
