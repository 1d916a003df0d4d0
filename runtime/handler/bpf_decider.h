#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/base/fd.h"
#include "runtime/base/result.h"
#include "runtime/handler/decider.h"
#include "runtime/handler/io/mapping.h"
#include "runtime/handler/log.h"

namespace heddle::handler {

/// The decision function in the kernel, run through its syscall entry. Needs no privilege, only the
/// descriptors.
class BpfDecider final : public Decider {
 public:
  struct Fds {
    UniqueFd word;
    UniqueFd slots;
    UniqueFd arena;
    UniqueFd connections;
  };
  struct GenerationFds {
    UniqueFd decide;
    UniqueFd rules;
    UniqueFd services;
    UniqueFd answers;
    UniqueFd blob;
    UniqueFd mesh;
    UniqueFd patterns;
    UniqueFd workloads;
    UniqueFd endpoints;
    UniqueFd addresses;  // asked, not read as a whole
  };

  /// `worker`: number of this worker, below HD_WORKERS_MAX.
  static Result<std::unique_ptr<BpfDecider>> make(Fds fds, std::uint32_t worker);

  /// A generation that may be asked from now on.
  [[nodiscard]] Result<void> add_generation(std::uint64_t generation, GenerationFds fds);
  /// One that will not be; its texts live on as long as a connection needs them.
  void drop_generation(std::uint64_t generation);

  std::optional<hd_connection> find_origin(int accepted) override;
  std::span<hd_slot, HD_ROUND_MAX> slots() override;
  std::span<char> arena() override;
  std::uint32_t first_page() const override { return worker_ * HD_PAGES_PER_WORKER; }
  std::shared_ptr<const Tables> begin_round() override;
  bool run(std::uint32_t count) override;
  std::optional<hd_address> find_server(const std::uint8_t* address, std::uint16_t port) override;
  std::shared_ptr<const Tables> current_tables() override { return tables(current()); }
  std::shared_ptr<const Tables> tables(std::uint64_t generation) override;

 private:
  struct Generation {
    std::uint64_t number = 0;
    UniqueFd decide;
    UniqueFd addresses;
    std::shared_ptr<const Tables> tables;
  };

  BpfDecider(Fds fds, std::uint32_t worker) : fds_(std::move(fds)), worker_(worker) {}
  [[nodiscard]] const Generation* find(std::uint64_t number) const;
  [[nodiscard]] std::uint64_t current() const;

  Fds fds_;
  std::uint32_t worker_;
  io::Mapping word_;
  io::Mapping slots_;
  io::Mapping arena_;
  std::vector<Generation> generations_;
  std::uint64_t round_ = 0;  // the generation that decides this round
  LimitedLog log_;
};

}  // namespace heddle::handler
