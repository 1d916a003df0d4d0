#include "runtime/loader/generation.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <set>

#include "runtime/base/file.h"
#include "runtime/loader/endpoints.h"
#include "runtime/loader/filter_maps.h"
#include "runtime/loader/requirements.h"

namespace heddle::loader {
namespace {

constexpr std::uint32_t cgroups_capacity = 32768;
constexpr std::size_t stats_buffer = 4096;

Error wrong_object(const std::string& what) {
  return Error{ErrorKind::invalid, "not a usable bundle: " + what, "build it again with `heddle build`"};
}

const bundle::MapImage* find_image(const bundle::Bundle& bundle, std::string_view name) {
  for (const bundle::MapImage& image : bundle.maps) {
    if (image.name == name) return &image;
  }
  return nullptr;
}

/// Gives a map of the object the size that the bundle's table has.
Result<void> size_map(bpf_map& map, const bundle::MapImage& image) {
  const std::string name = bpf_map__name(&map);
  const bool hash = bpf_map__type(&map) == BPF_MAP_TYPE_HASH;
  const bool shaped =
      std::any_of(bundle::map_shapes().begin(), bundle::map_shapes().end(), [&](const auto& shape) {
        return name == shape.name && shape.hash == hash &&
               (hash || bpf_map__type(&map) == BPF_MAP_TYPE_ARRAY);
      });
  if (!shaped || bpf_map__key_size(&map) != image.key_size)
    return wrong_object("its programs declare `" + name + "` differently");
  if (bpf_map__value_size(&map) != image.value_size &&
      (name != "hd_blob" || bpf_map__set_value_size(&map, image.value_size) != 0)) {
    return wrong_object("its programs declare `" + name + "` differently");
  }
  if (bpf_map__set_max_entries(&map, image.max_entries) != 0)
    return system_error("cannot size `" + name + "`", errno);
  return {};
}

/// What was refused is called as its author calls it.
Error of_filter(Error error, const bundle::Manifest& manifest) {
  for (const bundle::Manifest::Filter& filter : manifest.filters) {
    const std::string function = "function `" + filter.function + "`";
    const std::size_t at = error.what.find(function);
    if (at == std::string::npos) continue;
    error.what.replace(at, function.size(), "filter `" + filter.name + "` (" + filter.file + ")");
    error.help = "change the filter; what the verifier found is the last line of its log";
  }
  return error;
}

/// The section without its hook: `cgroup/connect4` is connect4, `syscall` is decide.
std::string entry_name(const bpf_program& program) {
  const std::string section = bpf_program__section_name(&program);
  if (section == "syscall") return bpf_program__name(&program);
  return section.substr(section.rfind('/') + 1);
}

/// `stack depth 64+32` of the verifier's statistics, added up.
std::uint32_t stack_depth(const char* log) {
  const char* at = std::strstr(log, "stack depth ");
  if (at == nullptr) return 0;
  at += std::strlen("stack depth ");
  std::uint32_t sum = 0;
  for (;;) {
    char* end = nullptr;
    sum += static_cast<std::uint32_t>(std::strtoul(at, &end, 10));
    if (end == at || *end != '+') return sum;
    at = end + 1;
  }
}

}  // namespace

Result<Generation> Generation::load(const bundle::Opened& opened, const State& state, Interner& interner,
                                    std::uint64_t number, const Place& place, bool with_stack) {
  Generation generation;
  generation.place_ = place;
  generation.number_ = number;
  generation.manifest_ = std::make_shared<const bundle::Manifest>(opened.manifest);
  generation.digest_ = opened.digest;
  Result<Object> object = open_object(opened.bundle.object, "policy");
  if (!object) return object.error();
  generation.object_ = std::move(*object);
  if (Result<void> sized = generation.prepare_maps(opened.bundle, state); !sized) return sized.error();

  std::map<std::string, std::vector<char>> logs;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, generation.object_.get()) {
    if (!with_stack) break;
    std::vector<char>& log = logs[entry_name(*program)];
    log.resize(stats_buffer);
    bpf_program__set_log_level(program, 4);
    bpf_program__set_log_buf(program, log.data(), log.size());
  }
  const FilterMaps filters(*generation.manifest_, state.folder().substr(0, state.folder().rfind('/')));
  if (Result<void> reused = filters.reuse(*generation.object_); !reused) return reused.error();
  if (Result<void> loaded = load_object(*generation.object_); !loaded) return of_filter(loaded.error(), *generation.manifest_);
  if (Result<void> pinned = filters.pin(*generation.object_); !pinned) return pinned.error();
  if (Result<void> read = generation.read_programs(); !read) return read.error();
  for (ProgramFigures& figures : generation.figures_) {
    const auto log = logs.find(figures.name);
    if (log != logs.end()) figures.stack_bytes = stack_depth(log->second.data());
  }
  if (Result<void> filled = generation.fill(opened.bundle, state, interner); !filled) return filled.error();
  return generation;
}

Result<void> Generation::prepare_maps(const bundle::Bundle& bundle, const State& state) {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object_.get()) {
    if (bpf_map__is_internal(map)) continue;
    const std::string name = bpf_map__name(map);
    const bundle::MapImage* image = find_image(bundle, name);
    if (const int fd = state.fd(name); fd >= 0) {
      Result<MapLayout> layout = map_layout(fd);
      if (!layout) return layout.error();
      if (layout->type != bpf_map__type(map) || layout->key_size != bpf_map__key_size(map) ||
          layout->value_size != bpf_map__value_size(map)) {
        return wrong_object("its programs declare `" + name + "` differently");
      }
      if (bpf_map__reuse_fd(map, fd) != 0) return system_error("cannot share the map `" + name + "`", errno);
    } else if (name == "hd_accounts") {
      const bundle::MapImage* limits = find_image(bundle, "hd_limits");
      if (limits == nullptr || limits->count == 0) continue;  // one entry will do: nobody asks for it
      const Result<int> accounts = state.accounts();
      if (!accounts) return accounts.error();
      if (bpf_map__reuse_fd(map, *accounts) != 0) return system_error("cannot share the map `hd_accounts`", errno);
    } else if (name == "hd_cgroups") {
      bpf_map__set_max_entries(map, std::max(cgroups_capacity, image == nullptr ? 0 : image->max_entries));
    } else if (name == "hd_work") {  // one for each slot
      Result<MapLayout> slots = map_layout(state.fd("hd_slots"));
      if (!slots) return slots.error();
      bpf_map__set_max_entries(map, slots->max_entries);
    } else if (name == "hd_places") {
      bpf_map__set_max_entries(map, working_places());
    } else if (name == "hd_fast_pages") {
      bpf_map__set_max_entries(map, working_places() * (HD_FAST_HEAD_MAX / HD_PAGE_SIZE));
    } else if (image != nullptr) {
      if (Result<void> sized = size_map(*map, *image); !sized) return sized;
    }
  }
  return {};
}

Result<void> Generation::read_programs() {
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object_.get()) {
    const std::string name = entry_name(*program);
    const int fd = bpf_program__fd(program);
    bpf_prog_info info{};
    std::uint32_t size = sizeof(info);
    if (bpf_obj_get_info_by_fd(fd, &info, &size) != 0) return system_error("cannot look at a program", errno);
    programs_[name] = fd;
    figures_.push_back({name, info.verified_insns, info.xlated_prog_len / 8, info.jited_prog_len, 0});
  }
  for (const std::string& name : manifest_->programs) {
    if (!programs_.contains(name)) return wrong_object("it has no program `" + name + "`");
  }
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object_.get()) {
    if (!bpf_map__is_internal(map)) tables_[bpf_map__name(map)] = bpf_map__fd(map);
  }
  return {};
}

void Generation::mark_near(std::span<hd_endpoint> endpoints) const {
  std::map<std::string_view, std::string_view> own;
  for (const bundle::Manifest::Service& service : manifest_->services) own[service.name] = own_place(service, place_);
  for (std::size_t i = 0; i < endpoints.size(); ++i) {
    const bundle::Manifest::Endpoint& endpoint = manifest_->endpoints[i];
    const std::string_view place = own[endpoint.service];
    endpoints[i].near = !place.empty() && endpoint.place == place ? 1 : 0;
  }
}

Result<void> Generation::write_slots(bundle::MapImage& image, Interner& interner) {
  const auto intern = [&](hd_interned_kind kind, const bundle::Digest& digest, auto store,
                          std::span<const std::byte> first = {}) -> Result<void> {
    Result<std::uint32_t> slot = interner.slot(kind, digest, first);
    if (!slot) return slot.error();
    store(*slot);
    return {};
  };
  if (image.name == "hd_rules") {
    auto* rules = reinterpret_cast<hd_rule*>(image.values.data());
    for (std::size_t i = 0; i < manifest_->rules.size(); ++i) {
      const Result<void> done =
          intern(HD_INTERNED_COUNTER, manifest_->rules[i].digest, [&](std::uint32_t slot) {
            rules[i].counter = slot;
            counters_.push_back(slot);
          });
      if (!done) return done;
    }
  } else if (image.name == "hd_endpoints") {
    auto* endpoints = reinterpret_cast<hd_endpoint*>(image.values.data());
    mark_near({endpoints, manifest_->endpoints.size()});
    for (std::size_t i = 0; i < manifest_->endpoints.size(); ++i) {
      const Result<void> done =
          intern(HD_INTERNED_ENDPOINT, manifest_->endpoints[i].digest, [&](std::uint32_t slot) {
            endpoints[i].state = slot;
            endpoint_slots_.push_back(slot);
          });
      if (!done) return done;
    }
  } else if (image.name == "hd_parts") {
    auto* parts = reinterpret_cast<hd_part*>(image.values.data());
    for (std::size_t i = 0; i < manifest_->parts.size(); ++i) {
      hd_part& part = parts[i];
      const Result<void> done = intern(
          HD_INTERNED_WEIGHT, manifest_->parts[i].digest, [&part](std::uint32_t slot) { part.slot = slot; },
          std::as_bytes(std::span(&part.weight, 1)));
      if (!done) return done;
    }
  } else if (image.name == "hd_pools") {
    auto* pools = reinterpret_cast<hd_pool*>(image.values.data());
    for (std::size_t i = 0; i < manifest_->pools.size(); ++i) {
      const Result<void> done = intern(HD_INTERNED_POOL, manifest_->pools[i].digest, [&](std::uint32_t slot) {
        pools[2 * i].number = slot;
        pools[2 * i + 1].number = slot;
      });
      if (!done) return done;
    }
  }
  return {};
}

/// Only services that eject need one.
Result<void> Generation::take_eject_groups(Interner& interner) {
  for (const bundle::Manifest::Service& service : manifest_->services) {
    eject_groups_.push_back(HD_NONE);
    if (service.eject.failures == 0) continue;
    Result<std::uint32_t> slot = interner.slot(HD_INTERNED_SERVICE, service.eject.digest);
    if (!slot) return slot.error();
    eject_groups_.back() = *slot;
  }
  return {};
}

/// Connections of tcp and tls services are no requests.
Result<void> Generation::start_latencies(const State& state) const {
  std::set<std::string_view> connections;
  for (const bundle::Manifest::Service& service : manifest_->services) {
    if (service.protocol == "tcp" || service.protocol == "tls") connections.insert(service.name);
  }
  for (std::size_t i = 0; i < counters_.size(); ++i) {
    if (connections.contains(manifest_->rules[i].service)) continue;
    if (Result<void> started = start_latency(state, counters_[i]); !started) return started;
  }
  return {};
}

Result<void> Generation::configure_endpoints(const State& state) const {
  return loader::configure_endpoints(state, *manifest_, endpoint_slots_, eject_groups_);
}

Result<void> Generation::fill(const bundle::Bundle& bundle, const State& state, Interner& interner) {
  interner.begin();
  for (const bundle::MapImage& original : bundle.maps) {
    if (original.name == "hd_cgroups") continue;
    const int fd = table(original.name);
    if (fd < 0) return wrong_object("its programs do not declare `" + original.name + "`");
    bundle::MapImage image = original;
    if (Result<void> written = write_slots(image, interner); !written) return written;
    if (Result<void> filled = fill_map(fd, image.name, image.keys, image.values, image.count); !filled)
      return filled;
    if (bpf_map_freeze(fd) != 0) return system_error("cannot freeze `" + image.name + "`", errno);
  }
  if (Result<void> taken = take_eject_groups(interner); !taken) return taken;
  if (Result<void> started = start_latencies(state); !started) return started;
  const std::uint32_t zero = 0;
  const int self = table("hd_self");
  if (self < 0) return wrong_object("its programs do not declare `hd_self`");
  return write_entry(self, &zero, &number_);
}

int Generation::program(std::string_view name) const {
  const auto found = programs_.find(name);
  return found == programs_.end() ? -1 : found->second;
}

int Generation::table(std::string_view name) const {
  const auto found = tables_.find(name);
  return found == tables_.end() ? -1 : found->second;
}

Result<void> Generation::set_cgroup(std::uint64_t id, hd_cgroup entry) const {
  return write_entry(table("hd_cgroups"), &id, &entry);
}

void Generation::erase_cgroup(std::uint64_t id) const {
  bpf_map_delete_elem(table("hd_cgroups"), &id);
}

Result<std::vector<ProgramFigures>> verify(const bundle::Opened& opened) {
  if (Result<void> machine = check_machine(); !machine) return machine.error();
  if (Result<void> able = check_requirements(opened.manifest); !able) return able.error();
  Result<State> state = State::make_private();
  if (!state) return state.error();
  Result<Interner> interner = Interner::make(*state);
  if (!interner) return interner.error();
  Result<Generation> generation = Generation::load(opened, *state, *interner, 1, {}, true);
  if (generation) return generation->figures();
  // Whoever asks for the stack's depth gets it instead of a log: why it was refused is told by another try.
  const Result<Generation> again = Generation::load(opened, *state, *interner, 1);
  return again ? generation.error() : again.error();
}

}  // namespace heddle::loader
