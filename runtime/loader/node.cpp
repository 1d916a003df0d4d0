#include "runtime/loader/node.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>

#include "runtime/base/file.h"
#include "runtime/loader/filter_maps.h"
#include "runtime/loader/mounts.h"
#include "runtime/loader/requirements.h"

namespace heddle::loader {
namespace {

/// A name that bpffs takes (no dots) and a person recognises; the number tells equal last parts apart.
std::string instance_name(const std::string& root) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : root) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  std::string name = root.substr(root.rfind('/') + 1).substr(0, 40);
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == '.' || static_cast<unsigned char>(c) <= ' '; }, '_');
  char number[20];
  std::snprintf(number, sizeof(number), "-%016lx", hash);
  return name + number;
}

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  DIR* open = ::opendir(folder.c_str());
  if (open == nullptr) return names;
  while (const dirent* entry = ::readdir(open)) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  ::closedir(open);
  return names;
}

/// A generation has a program for each.
constexpr std::array<const char*, 3> hooks = {"connect4", "connect6", "sk_msg"};

/// The programs at the sockets of the fast path are attached to maps, and stay there with them.
void detach_from_sockets(const std::string& folder) {
  for (const char* sockets : {"hd_clients", "hd_servers"}) {
    const UniqueFd map(bpf_obj_get((folder + "/maps/" + sockets).c_str()));
    if (map) bpf_prog_detach(map.get(), BPF_SK_MSG_VERDICT);
  }
}

/// Programs go first, so that none is left without its maps.
Result<void> remove_all(const std::string& folder) {
  for (const std::string& name : names_in(folder + "/links")) {
    const std::string path = folder + "/links/" + name;
    const UniqueFd link(bpf_obj_get(path.c_str()));
    if (link) bpf_link_detach(link.get());
    if (::unlink(path.c_str()) != 0) return system_error("cannot remove `" + path + "`", errno);
  }
  detach_from_sockets(folder);
  for (const std::string& name : names_in(folder + "/maps")) {
    const std::string path = folder + "/maps/" + name;
    if (::unlink(path.c_str()) != 0) return system_error("cannot remove `" + path + "`", errno);
  }
  remove_filter_maps(folder);
  for (const std::string& path : {folder + "/links", folder + "/maps", folder}) {
    if (::rmdir(path.c_str()) != 0 && errno != ENOENT)
      return system_error("cannot remove `" + path + "`", errno);
  }
  ::rmdir(folder.substr(0, folder.rfind('/')).c_str());  // stays while another root has its folder there
  return {};
}

Result<void> make_folder(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return system_error("cannot make `" + path + "`", errno);
}

/// The lock is on the folder itself: it ends with the process. A folder that was removed meanwhile is no
/// lock.
Result<UniqueFd> lock_folder(const std::string& folder, const std::string& root) {
  for (;;) {
    for (const std::string& path : {folder.substr(0, folder.rfind('/')), folder}) {
      if (Result<void> made = make_folder(path); !made) return made.error();
    }
    UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd && errno == ENOENT) continue;
    if (!fd) return system_error("cannot open `" + folder + "`", errno);
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
      return Error{
          ErrorKind::busy, "another `heddled` governs the cgroup root `" + root + "`",
          "`heddle status` talks to it; `heddle detach` ends it; `--cgroup-root` takes another folder"};
    }
    struct stat mine{};
    struct stat there{};
    if (::fstat(fd.get(), &mine) == 0 && ::stat(folder.c_str(), &there) == 0 && mine.st_ino == there.st_ino)
      return fd;
  }
}

/// Whether a link leads to this cgroup; one to a function of the kernel leads everywhere.
bool is_attached_to(int link, const std::string& root) {
  bpf_link_info info{};
  std::uint32_t size = sizeof(info);
  struct stat folder{};
  if (bpf_obj_get_info_by_fd(link, &info, &size) == 0 && info.type == BPF_LINK_TYPE_TRACING) return true;
  return bpf_obj_get_info_by_fd(link, &info, &size) == 0 && ::stat(root.c_str(), &folder) == 0 &&
         info.cgroup.cgroup_id == folder.st_ino;
}

bool has_links(const std::string& folder, const std::string& root) {
  const std::vector<std::string> names = names_in(folder + "/links");
  return !names.empty() && std::all_of(names.begin(), names.end(), [&](const std::string& name) {
    const UniqueFd link(bpf_obj_get((folder + "/links/" + name).c_str()));
    return link && is_attached_to(link.get(), root);
  });
}

}  // namespace

Node::Node(std::string cgroup_root, std::string folder, UniqueFd lock, State state, Interner interner)
    : cgroup_root_(std::move(cgroup_root)),
      folder_(std::move(folder)),
      lock_(std::move(lock)),
      state_(std::move(state)),
      interner_(std::move(interner)),
      last_number_(state_.generation()),
      attached_(has_links(folder_, cgroup_root_)) {}

Result<Node> Node::open(const std::string& cgroup_root) {
  if (Result<void> machine = check_machine(); !machine) return machine.error();
  Result<std::string> root = resolve_cgroup_root(cgroup_root);
  if (!root) return root.error();
  Result<std::string> bpffs = ensure_bpffs();
  if (!bpffs) return bpffs.error();
  const std::string folder = *bpffs + "/heddle/" + instance_name(*root);
  Result<UniqueFd> lock = lock_folder(folder, *root);
  if (!lock) return lock.error();
  const auto fail = [&](const Error& error) -> Result<Node> {
    // What an earlier agent left goes on deciding; what we made ourselves is of no use to anybody.
    if (names_in(folder + "/links").empty()) static_cast<void>(remove_all(folder));
    return error;
  };
  for (const char* part : {"/maps", "/links"}) {
    if (Result<void> made = make_folder(folder + part); !made) return fail(made.error());
  }
  Result<State> state = State::open_pinned(folder + "/maps");
  if (!state) return fail(state.error());
  Result<Interner> interner = Interner::make(*state);
  if (!interner) return fail(interner.error());
  return Node(std::move(*root), folder, std::move(*lock), std::move(*state), std::move(*interner));
}

Result<bool> Node::remove(const std::string& cgroup_root) {
  if (Result<void> machine = check_machine(); !machine) return machine.error();
  // A root that is gone had its programs detached by the kernel, but its pins are still there.
  Result<std::string> root = resolve_cgroup_root(cgroup_root);
  if (!root && root.error().kind != ErrorKind::not_found) return root.error();
  const std::string path = root ? *root : cgroup_root;
  Result<std::string> bpffs = ensure_bpffs();
  if (!bpffs) return bpffs.error();
  const std::string folder = *bpffs + "/heddle/" + instance_name(path);
  if (::access(folder.c_str(), F_OK) != 0) return false;
  Result<UniqueFd> lock = lock_folder(folder, path);
  if (!lock) return lock.error();
  if (Result<void> removed = remove_all(folder); !removed) return removed.error();
  ::rmdir((path + "/" + agent_cgroup).c_str());
  return true;
}

Result<void> Node::set_config(hd_config config) {
  config.abi_version = HD_ABI_VERSION;
  const std::uint32_t zero = 0;
  // The secret stays: what limits remember is found by it.
  hd_config before{};
  if (!read_entry(state_.fd("hd_config"), &zero, &before)) return system_error("cannot read `hd_config`", errno);
  std::copy(std::begin(before.secret), std::end(before.secret), std::begin(config.secret));
  if ((config.secret[0] | config.secret[1]) == 0 &&
      ::getrandom(config.secret, sizeof config.secret, 0) != sizeof config.secret)
    return system_error("cannot get random bytes", errno);
  return write_entry(state_.fd("hd_config"), &zero, &config);
}

Result<Generation> Node::load(const bundle::Opened& opened) {
  if (Result<void> able = check_requirements(opened.manifest); !able) return able.error();
  // A number that was tried and given up is free again: nobody has seen it.
  return Generation::load(opened, state_, interner_, last_number_ + 1, place_);
}

Result<void> Node::activate(const Generation& generation) {
  const std::uint32_t place = HD_PROGRAM_PLACE(generation.number());
  for (const char* hook : hooks) {
    const int fd = generation.program(hook);
    if (fd < 0) return Error{ErrorKind::invalid, "the bundle has no program `" + std::string(hook) + "`", ""};
    const Result<void> written = write_entry(state_.fd(std::string("hd_to_") + hook), &place, &fd);
    if (!written) return written;
  }
  if (Result<void> configured = generation.configure_endpoints(state_); !configured) return configured;
  if (Result<void> flipped = state_.set_generation(generation.number()); !flipped) return flipped;
  last_number_ = generation.number();
  interner_.commit();
  return {};
}

void Node::retire(const Generation& generation) {
  if (generation.number() == state_.generation()) return;
  if (HD_PROGRAM_PLACE(generation.number()) == HD_PROGRAM_PLACE(state_.generation())) return;
  const std::uint32_t place = HD_PROGRAM_PLACE(generation.number());
  for (const char* hook : hooks) bpf_map_delete_elem(state_.fd(std::string("hd_to_") + hook), &place);
}

Result<void> Node::attach_one(const State::Trampoline& trampoline, int cgroup, bool& made) {
  const std::string path = folder_ + "/links/" + trampoline.name;
  made = false;
  const UniqueFd old(bpf_obj_get(path.c_str()));
  if (old && is_attached_to(old.get(), cgroup_root_)) {
    if (bpf_link_update(old.get(), trampoline.fd, nullptr) == 0) return {};
    return system_error("cannot replace the program `" + trampoline.name + "`", errno);
  }
  if (old) ::unlink(path.c_str());  // its cgroup was removed, and the kernel detached it then
  const UniqueFd link(
      bpf_link_create(trampoline.fd, cgroup, static_cast<bpf_attach_type>(trampoline.attach_type), nullptr));
  if (!link) {
    Error error =
        system_error("cannot attach `" + trampoline.name + "` to cgroup `" + cgroup_root_ + "`", errno);
    if (errno == EPERM)
      error.help = "a program that is attached there, or above, allows no other: `bpftool cgroup tree`";
    return error;
  }
  if (bpf_obj_pin(link.get(), path.c_str()) != 0) return system_error("cannot pin `" + path + "`", errno);
  made = true;
  return {};
}

Result<void> Node::attach_at(const State::Trampoline& trampoline, int cgroup, bool& made) {
  switch (trampoline.place) {
    case State::Place::cgroup:
      return attach_one(trampoline, cgroup, made);
    case State::Place::clients:
      return attach_to_sockets(trampoline, "hd_clients");
    case State::Place::servers:
      return attach_to_sockets(trampoline, "hd_servers");
    case State::Place::trace:
      trace_ = attach_to_kernel(trampoline, made);
      return {};
    case State::Place::none:
      return {};
  }
  return {};
}

/// Sockets that are in the map already keep the program they met.
Result<void> Node::attach_to_sockets(const State::Trampoline& trampoline, const char* map) {
  if (bpf_prog_attach(trampoline.fd, state_.fd(map), BPF_SK_MSG_VERDICT, 0) == 0) return {};
  return system_error("cannot attach `" + trampoline.name + "` to `" + map + "`", errno);
}

bool Node::attach_to_kernel(const State::Trampoline& trampoline, bool& made) {
  const std::string path = folder_ + "/links/" + trampoline.name;
  const UniqueFd link(bpf_link_create(trampoline.fd, 0, BPF_TRACE_FEXIT, nullptr));
  if (!link) return false;
  ::unlink(path.c_str());  // an earlier agent's; ours has taken over
  made = bpf_obj_pin(link.get(), path.c_str()) == 0;
  return made;
}

Result<void> Node::attach() {
  const UniqueFd cgroup(::open(cgroup_root_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!cgroup) return system_error("cannot open cgroup `" + cgroup_root_ + "`", errno);
  std::vector<std::string> made_links;
  // The hooks that remember come before those that decide.
  std::vector<State::Trampoline> order = state_.trampolines();
  std::stable_partition(order.begin(), order.end(), [](const auto& trampoline) {
    return trampoline.name.find("_connect") == std::string::npos;
  });
  trace_ = false;
  for (const State::Trampoline& trampoline : order) {
    bool made = false;
    Result<void> attached = attach_at(trampoline, cgroup.get(), made);
    if (made) made_links.push_back(folder_ + "/links/" + trampoline.name);
    if (attached) continue;
    for (const std::string& path : made_links) ::unlink(path.c_str());
    return attached;
  }
  attached_ = true;
  return {};
}

Result<void> Node::detach() {
  attached_ = false;
  return remove_all(folder_);
}

struct EventReader::Parts {
  Receive receive;
  ring_buffer* ring = nullptr;
  ~Parts() { ring_buffer__free(ring); }
};

EventReader::EventReader(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
EventReader::EventReader(EventReader&&) noexcept = default;
EventReader& EventReader::operator=(EventReader&&) noexcept = default;
EventReader::~EventReader() = default;

Result<EventReader> EventReader::make(const State& state, Receive receive) {
  auto parts = std::make_unique<Parts>();
  parts->receive = std::move(receive);
  const auto sample = [](void* context, void* data, std::size_t size) {
    if (size == sizeof(hd_event)) static_cast<Parts*>(context)->receive(*static_cast<const hd_event*>(data));
    return 0;
  };
  parts->ring = ring_buffer__new(state.fd("hd_events"), sample, parts.get(), nullptr);
  if (parts->ring == nullptr) return system_error("cannot read the programs' events", errno);
  return EventReader(std::move(parts));
}

int EventReader::fd() const {
  return ring_buffer__epoll_fd(parts_->ring);
}

void EventReader::read() {
  ring_buffer__consume(parts_->ring);
}

std::uint64_t lost_events(const State& state) {
  std::uint64_t lost = 0;
  const std::uint32_t zero = 0;
  bpf_map_lookup_elem(state.fd("hd_lost"), &zero, &lost);
  return lost;
}

}  // namespace heddle::loader
