#include "runtime/loader/state.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>

#include "bpf_templates/include/heddle/abi.h"
#include "embedded/trampolines.h"
#include "runtime/base/file.h"

namespace heddle::loader {
namespace {

Error other_version(const std::string& what) {
  return Error{ErrorKind::unsupported,
               "another version of `heddled` left " + what + " that this one cannot take over",
               "`heddle detach` removes it; the node has no policy until the next start"};
}

/// Sizes may differ between versions that understand each other, layouts may not.
Result<void> check_layout(const bpf_map& map, int fd) {
  const std::string name = bpf_map__name(&map);
  Result<MapLayout> found = map_layout(fd);
  if (!found) return found.error();
  if (found->type != bpf_map__type(&map) || found->key_size != bpf_map__key_size(&map) ||
      found->value_size != bpf_map__value_size(&map)) {
    return other_version("a map `" + name + "`");
  }
  return {};
}

bpf_insn instruction(int code, int to, int from, std::int16_t offset, std::int32_t value) {
  bpf_insn out{};
  out.code = static_cast<std::uint8_t>(code);
  out.dst_reg = static_cast<std::uint8_t>(to & 15);
  out.src_reg = static_cast<std::uint8_t>(from & 15);
  out.off = offset;
  out.imm = value;
  return out;
}

/// `*word = *context`, one store of eight bytes.
Result<UniqueFd> load_flip(int word) {
  const std::array<bpf_insn, 6> code{{
      instruction(BPF_LDX | BPF_DW | BPF_MEM, BPF_REG_2, BPF_REG_1, 0, 0),
      instruction(BPF_LD | BPF_DW | BPF_IMM, BPF_REG_3, BPF_PSEUDO_MAP_VALUE, 0, word),
      instruction(0, 0, 0, 0, 0),  // second half: offset in the value
      instruction(BPF_STX | BPF_DW | BPF_MEM, BPF_REG_3, BPF_REG_2, 0, 0),
      instruction(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0),
      instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
  }};
  bpf_prog_load_opts options{};
  options.sz = sizeof(options);
  options.prog_flags = BPF_F_SLEEPABLE;  // the kernel takes no other syscall programs
  UniqueFd flip(bpf_prog_load(BPF_PROG_TYPE_SYSCALL, "hd_flip", "GPL", code.data(), code.size(), &options));
  if (!flip) return system_error("the kernel refused the program that changes the generation", errno);
  return flip;
}

State::Place place_of(const bpf_program& program) {
  const std::string_view name = bpf_program__name(&program);
  if (name == "hd_client_message") return State::Place::clients;
  if (name == "hd_server_message") return State::Place::servers;
  if (name == "hd_moved") return State::Place::trace;
  return bpf_program__type(&program) == BPF_PROG_TYPE_SYSCALL ? State::Place::none : State::Place::cgroup;
}

/// As many as anybody would start on so many CPUs; their pages are most of what an idle node holds.
std::uint32_t workers_of_this_machine() {
  constexpr int least = 4;
  return static_cast<std::uint32_t>(std::clamp<int>(libbpf_num_possible_cpus(), least, HD_WORKERS_MAX));
}

}  // namespace

std::uint32_t working_places() {
  return HD_PLACES_PER_CPU * static_cast<std::uint32_t>(std::max(1, libbpf_num_possible_cpus()));
}

bool State::can_trace() {
  const LogCapture quiet;
  const int function = libbpf_find_vmlinux_btf_id("tcp_bpf_sendmsg_redir", BPF_TRACE_FEXIT);
  if (function <= 0) return false;
  const std::array<bpf_insn, 2> code{{instruction(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0),
                                      instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)}};
  bpf_prog_load_opts options{};
  options.sz = sizeof(options);
  options.expected_attach_type = BPF_TRACE_FEXIT;
  options.attach_btf_id = static_cast<std::uint32_t>(function);
  return static_cast<bool>(
      UniqueFd(bpf_prog_load(BPF_PROG_TYPE_TRACING, "hd_probe", "GPL", code.data(), code.size(), &options)));
}

Result<State> State::make_private() {
  return make("", Programs::none);
}

Result<State> State::make_for_trial(bool with_trace) {
  return make("", with_trace ? Programs::all : Programs::all_but_trace);
}

Result<State> State::open_pinned(const std::string& folder) {
  return make(folder, can_trace() ? Programs::all : Programs::all_but_trace);
}

Result<State> State::make(const std::string& folder, Programs programs) {
  State state;
  state.folder_ = folder;
  Result<Object> object = open_object(embedded::trampolines(), "heddle");
  if (!object) return object.error();
  state.object_ = std::move(*object);
  const auto size = [&state](const char* map, std::uint32_t entries) {
    bpf_map__set_max_entries(bpf_object__find_map_by_name(state.object_.get(), map), entries);
  };
  size("hd_responses", working_places());
  size("hd_slots", HD_ROUND_MAX * workers_of_this_machine());
  size("hd_arena", HD_PAGES_PER_WORKER * workers_of_this_machine());
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, state.object_.get()) {
    const bool traces = place_of(*program) == Place::trace;
    bpf_program__set_autoload(program, programs == Programs::all || (programs == Programs::all_but_trace && !traces));
  }
  if (!folder.empty()) {
    if (Result<void> taken = state.take_over(folder); !taken) return taken.error();
  }
  if (Result<void> loaded = load_object(*state.object_); !loaded) return loaded.error();
  if (Result<void> finished = state.finish(folder); !finished) return finished.error();
  return state;
}

Result<void> State::take_over(const std::string& folder) {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object_.get()) {
    if (bpf_map__is_internal(map)) continue;  // made anew by each agent: what the programs are to know of the kernel
    const UniqueFd fd(bpf_obj_get((folder + "/" + bpf_map__name(map)).c_str()));
    if (!fd && errno == ENOENT) continue;
    if (!fd)
      return system_error("cannot open the pinned map `" + std::string(bpf_map__name(map)) + "`", errno);
    if (Result<void> checked = check_layout(*map, fd.get()); !checked) return checked;
    if (bpf_map__reuse_fd(map, fd.get()) != 0) return system_error("cannot take over a pinned map", errno);
    adopted_ = true;
  }
  return {};
}

Result<void> State::finish(const std::string& folder) {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object_.get()) {
    if (bpf_map__is_internal(map)) continue;
    const std::string name = bpf_map__name(map);
    maps_[name] = UniqueFd(::fcntl(bpf_map__fd(map), F_DUPFD_CLOEXEC, 0));
    if (folder.empty() || ::access((folder + "/" + name).c_str(), F_OK) == 0) continue;
    if (bpf_obj_pin(bpf_map__fd(map), (folder + "/" + name).c_str()) != 0) {
      return system_error("cannot pin the map `" + name + "` in `" + folder + "`", errno);
    }
  }
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object_.get()) {
    if (bpf_program__fd(program) < 0) continue;
    trampolines_.push_back({bpf_program__name(program), bpf_program__fd(program),
                            static_cast<std::uint32_t>(bpf_program__expected_attach_type(program)),
                            place_of(*program)});
  }

  hd_config config{};
  const std::uint32_t zero = 0;
  if (bpf_map_lookup_elem(fd("hd_config"), &zero, &config) != 0)
    return system_error("cannot read `hd_config`", errno);
  if (adopted_ && config.abi_version != 0 && config.abi_version != HD_ABI_VERSION) {
    return other_version("tables of version " + std::to_string(config.abi_version));
  }
  return open_word();
}

Result<void> State::open_word() {
  const int word = fd("hd_word");
  const bool frozen =
      read_text("/proc/self/fdinfo/" + std::to_string(word)).find("frozen:\t1") != std::string::npos;
  if (!frozen && bpf_map_freeze(word) != 0) return system_error("cannot freeze `hd_word`", errno);
  Result<MapView> view = MapView::make(word, sizeof(hd_word), false);
  if (!view) return view.error();
  word_ = std::move(*view);
  Result<UniqueFd> flip = load_flip(word);
  if (!flip) return flip.error();
  flip_ = std::move(*flip);
  return {};
}

int State::fd(std::string_view map) const {
  const auto found = maps_.find(map);
  return found == maps_.end() ? -1 : found->second.get();
}

int State::program(std::string_view name) const {
  for (const Trampoline& trampoline : trampolines_) {
    if (trampoline.name == name) return trampoline.fd;
  }
  return -1;
}

std::uint32_t State::worker_capacity() const {
  const Result<MapLayout> slots = map_layout(fd("hd_slots"));
  return slots ? slots->max_entries / HD_ROUND_MAX : 0;
}

int State::bell(std::uint32_t worker) {
  constexpr std::uint32_t size = 4096;  // as the programs declare it
  UniqueFd& bell = bells_[worker];
  if (bell) return bell.get();
  UniqueFd made(bpf_map_create(BPF_MAP_TYPE_RINGBUF, "hd_bell", 0, 0, size, nullptr));
  const int number = made.get();
  if (!made || !write_entry(fd("hd_bells"), &worker, &number)) return -1;
  bell = std::move(made);
  return number;
}

Result<int> State::accounts() const {
  if (accounts_) return accounts_.get();
  Result<UniqueFd> opened = open_accounts();
  if (!opened) return opened.error();
  accounts_ = std::move(*opened);
  return accounts_.get();
}

Result<UniqueFd> State::open_accounts() const {
  const std::string path = folder_ + "/hd_accounts";
  UniqueFd fd(folder_.empty() ? -1 : bpf_obj_get(path.c_str()));
  if (fd) {
    const Result<MapLayout> found = map_layout(fd.get());
    if (!found) return found.error();
    const bool same = found->type == BPF_MAP_TYPE_LRU_HASH && found->key_size == sizeof(hd_account_key) &&
                      found->value_size == sizeof(hd_u64);
    if (!same) return other_version("a map `hd_accounts`");
    return fd;
  }
  fd = UniqueFd(bpf_map_create(BPF_MAP_TYPE_LRU_HASH, "hd_accounts", sizeof(hd_account_key), sizeof(hd_u64),
                               HD_ACCOUNTS_MAX, nullptr));
  if (!fd) return system_error("cannot make the map `hd_accounts`", errno);
  if (!folder_.empty() && bpf_obj_pin(fd.get(), path.c_str()) != 0)
    return system_error("cannot pin the map `hd_accounts` in `" + folder_ + "`", errno);
  return fd;
}

std::uint64_t State::generation() const {
  return std::atomic_ref(word_.as<hd_word>()->generation).load(std::memory_order_acquire);
}

Result<void> State::set_generation(std::uint64_t generation) {
  bpf_test_run_opts options{};
  options.sz = sizeof(options);
  options.ctx_in = &generation;
  options.ctx_size_in = sizeof(generation);
  if (bpf_prog_test_run_opts(flip_.get(), &options) != 0)
    return system_error("cannot change the generation", errno);
  return {};
}

}  // namespace heddle::loader
