#include "runtime/handler/bpf_decider.h"

#include <linux/bpf.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "runtime/handler/io/array_map.h"
#include "runtime/handler/io/bpf.h"

namespace heddle::handler {

namespace {

Error failure(const std::string& what) {
  return Error{ErrorKind::io, what + ": " + std::strerror(errno), ""};
}

/// All values of an array map: mapped if it can be, else copied.
class Array {
 public:
  static Result<Array> make(const UniqueFd& fd, const char* name, std::size_t value_size) {
    const Result<io::bpf::MapInfo> info = io::bpf::map_info(fd.get());
    if (!info) return info.error();
    if (value_size != 0 && info->value_size != value_size) {
      return Error{ErrorKind::invalid, std::string("`") + name + "` has values of another size", ""};
    }
    Array array;
    array.bytes_ = io::array_bytes(*info);
    if ((info->flags & BPF_F_MMAPABLE) != 0) {
      array.mapping_ = io::Mapping::of(fd.get(), array.bytes_, io::Mapping::Access::read);
    }
    if (array.mapping_) return array;
    array.bytes_ = std::size_t{info->value_size} * info->max_entries;
    array.copy_.resize(array.bytes_);
    if (!io::bpf::read_array(fd.get(), *info, array.copy_.data())) {
      return failure(std::string("cannot read `") + name + "`");
    }
    return array;
  }

  template <typename T>
  [[nodiscard]] std::span<const T> values() const {
    return {reinterpret_cast<const T*>(data()), bytes_ / sizeof(T)};
  }
  [[nodiscard]] std::string_view text() const { return {data(), bytes_}; }

 private:
  [[nodiscard]] const char* data() const { return mapping_ ? mapping_.data() : copy_.data(); }

  io::Mapping mapping_;
  std::vector<char> copy_;
  std::size_t bytes_ = 0;
};

class MappedTables final : public Tables {
 public:
  MappedTables(Array rules, Array services, Array answers, Array blob, Array mesh, Array patterns, Array workloads, Array endpoints)
      : Tables({rules.values<hd_rule>(), services.values<hd_service>(), answers.values<hd_answer>(), mesh.values<hd_mesh>(),
                patterns.values<hd_pattern>(), workloads.values<hd_workload>(), endpoints.values<hd_endpoint>(), blob.text()}),
        rules_(std::move(rules)),
        services_(std::move(services)),
        answers_(std::move(answers)),
        blob_(std::move(blob)),
        mesh_(std::move(mesh)),
        patterns_(std::move(patterns)),
        workloads_(std::move(workloads)),
        endpoints_(std::move(endpoints)) {}

 private:
  Array rules_;
  Array services_;
  Array answers_;
  Array blob_;
  Array mesh_;
  Array patterns_;
  Array workloads_;
  Array endpoints_;
};

static_assert(sizeof(hd_rule) % 8 == 0 && sizeof(hd_service) % 8 == 0 && sizeof(hd_answer) % 8 == 0 && sizeof(hd_slot) % 8 == 0 &&
              sizeof(hd_mesh) % 8 == 0 && sizeof(hd_pattern) % 8 == 0 && sizeof(hd_workload) % 8 == 0 && sizeof(hd_endpoint) % 8 == 0);

}  // namespace

Result<std::unique_ptr<BpfDecider>> BpfDecider::make(Fds fds, std::uint32_t worker) {
  if (worker >= HD_WORKERS_MAX) return Error{ErrorKind::invalid, "a worker's number is too great", ""};
  std::unique_ptr<BpfDecider> decider(new BpfDecider(std::move(fds), worker));
  using Access = io::Mapping::Access;
  Result<io::Mapping> word =
      io::map_array(decider->fds_.word.get(), "hd_word", sizeof(hd_word), Access::read);
  if (!word) return word.error();
  Result<io::Mapping> slots =
      io::map_array(decider->fds_.slots.get(), "hd_slots", sizeof(hd_slot), Access::write);
  if (!slots) return slots.error();
  Result<io::Mapping> arena =
      io::map_array(decider->fds_.arena.get(), "hd_arena", HD_PAGE_SIZE, Access::write);
  if (!arena) return arena.error();
  if (slots->bytes() < std::size_t{worker + 1} * HD_ROUND_MAX * sizeof(hd_slot) ||
      arena->bytes() < std::size_t{worker + 1} * HD_PAGES_PER_WORKER * HD_PAGE_SIZE) {
    return Error{ErrorKind::invalid, "`hd_slots` or `hd_arena` has no room for this worker", ""};
  }
  decider->word_ = std::move(word).value();
  decider->slots_ = std::move(slots).value();
  decider->arena_ = std::move(arena).value();
  return decider;
}

Result<void> BpfDecider::add_generation(std::uint64_t number, GenerationFds fds) {
  Result<Array> rules = Array::make(fds.rules, "hd_rules", sizeof(hd_rule));
  if (!rules) return rules.error();
  Result<Array> services = Array::make(fds.services, "hd_services", sizeof(hd_service));
  if (!services) return services.error();
  Result<Array> answers = Array::make(fds.answers, "hd_answers", sizeof(hd_answer));
  if (!answers) return answers.error();
  Result<Array> blob = Array::make(fds.blob, "hd_blob", 0);
  if (!blob) return blob.error();
  Result<Array> mesh = Array::make(fds.mesh, "hd_mesh", sizeof(hd_mesh));
  if (!mesh) return mesh.error();
  Result<Array> patterns = Array::make(fds.patterns, "hd_patterns", sizeof(hd_pattern));
  if (!patterns) return patterns.error();
  Result<Array> workloads = Array::make(fds.workloads, "hd_workloads", sizeof(hd_workload));
  if (!workloads) return workloads.error();
  Result<Array> endpoints = Array::make(fds.endpoints, "hd_endpoints", sizeof(hd_endpoint));
  if (!endpoints) return endpoints.error();
  drop_generation(number);
  generations_.push_back(
      {number, std::move(fds.decide), std::move(fds.addresses),
       std::make_shared<MappedTables>(std::move(rules).value(), std::move(services).value(),
                                      std::move(answers).value(), std::move(blob).value(), std::move(mesh).value(),
                                      std::move(patterns).value(), std::move(workloads).value(), std::move(endpoints).value())});
  return {};
}

void BpfDecider::drop_generation(std::uint64_t number) {
  std::erase_if(generations_, [number](const Generation& generation) { return generation.number == number; });
}

const BpfDecider::Generation* BpfDecider::find(std::uint64_t number) const {
  for (const Generation& generation : generations_) {
    if (generation.number == number) return &generation;
  }
  return nullptr;
}

std::uint64_t BpfDecider::current() const {
  return __atomic_load_n(&reinterpret_cast<const hd_word*>(word_.data())->generation, __ATOMIC_ACQUIRE);
}

std::optional<hd_connection> BpfDecider::find_origin(int accepted) {
  hd_connection origin;
  if (!io::bpf::lookup(fds_.connections.get(), &accepted, &origin)) return std::nullopt;
  return origin;
}

std::span<hd_slot, HD_ROUND_MAX> BpfDecider::slots() {
  return std::span<hd_slot, HD_ROUND_MAX>(
      reinterpret_cast<hd_slot*>(slots_.data()) + std::size_t{worker_} * HD_ROUND_MAX, HD_ROUND_MAX);
}

std::span<char> BpfDecider::arena() {
  constexpr std::size_t bytes = std::size_t{HD_PAGES_PER_WORKER} * HD_PAGE_SIZE;
  return {arena_.data() + worker_ * bytes, bytes};
}

std::shared_ptr<const Tables> BpfDecider::begin_round() {
  round_ = current();
  return tables(round_);
}

std::optional<hd_address> BpfDecider::find_server(const std::uint8_t* address, std::uint16_t port) {
  const Generation* const generation = find(current());
  hd_address_key key{};
  std::memcpy(key.address, address, sizeof key.address);
  key.port = port;
  hd_address found{};
  if (generation == nullptr || !io::bpf::lookup(generation->addresses.get(), &key, &found) || found.server == HD_NONE) return std::nullopt;
  // The address of one service may be where an endpoint of another listens.
  found.service = generation->tables->service_of_endpoint(found.server);
  return found;
}

bool BpfDecider::run(std::uint32_t count) {
  const Generation* const generation = find(round_);
  if (generation == nullptr) {
    log_.line("error", "generation " + std::to_string(round_) + " decides, and it is unknown here");
    return false;
  }
  hd_round round{worker_ * HD_ROUND_MAX, count};  // the kernel writes it back
  std::uint32_t returned = 0;
  const int status =
      io::bpf::run(generation->decide.get(), std::as_writable_bytes(std::span(&round, 1)), returned);
  if (status == 0) return true;
  log_.line("error", "the decision function does not run: " + std::string(std::strerror(-status)));
  return false;
}

std::shared_ptr<const Tables> BpfDecider::tables(std::uint64_t number) {
  const Generation* const generation = find(number);
  return generation == nullptr ? nullptr : generation->tables;
}

}  // namespace heddle::handler
