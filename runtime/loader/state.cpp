#include "runtime/loader/state.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <unistd.h>

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

}  // namespace

Result<State> State::make_private() {
  return make("");
}

Result<State> State::open_pinned(const std::string& folder) {
  return make(folder);
}

Result<State> State::make(const std::string& folder) {
  State state;
  Result<Object> object = open_object(embedded::trampolines(), "heddle");
  if (!object) return object.error();
  state.object_ = std::move(*object);
  if (!folder.empty()) {
    if (Result<void> taken = state.take_over(folder); !taken) return taken.error();
  } else {
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, state.object_.get()) bpf_program__set_autoload(program, false);
  }
  if (Result<void> loaded = load_object(*state.object_); !loaded) return loaded.error();
  if (Result<void> finished = state.finish(folder); !finished) return finished.error();
  return state;
}

Result<void> State::take_over(const std::string& folder) {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object_.get()) {
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
                            static_cast<std::uint32_t>(bpf_program__expected_attach_type(program))});
  }

  hd_config config{};
  const std::uint32_t zero = 0;
  if (bpf_map_lookup_elem(fd("hd_config"), &zero, &config) != 0)
    return system_error("cannot read `hd_config`", errno);
  if (adopted_ && config.abi_version != 0 && config.abi_version != HD_ABI_VERSION) {
    return other_version("tables of version " + std::to_string(config.abi_version));
  }
  Result<MapView> word = MapView::make(fd("hd_word"), sizeof(hd_word), true);
  if (!word) return word.error();
  word_ = std::move(*word);
  return {};
}

int State::fd(std::string_view map) const {
  const auto found = maps_.find(map);
  return found == maps_.end() ? -1 : found->second.get();
}

std::uint64_t State::generation() const {
  return std::atomic_ref(word_.as<hd_word>()->generation).load(std::memory_order_acquire);
}

void State::set_generation(std::uint64_t generation) {
  std::atomic_ref(word_.as<hd_word>()->generation).store(generation, std::memory_order_seq_cst);
}

}  // namespace heddle::loader
