#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "bpf_templates/include/heddle/abi.h"
#include "runtime/handler/tables.h"

namespace heddle::handler {

/// The worker's edge to the policy: who connected, and what is decided. Behind it is the kernel; or, in tests
/// of the data path, a function in the same process.
class Decider {
 public:
  virtual ~Decider() = default;

  /// Who is on the other end of an accepted socket, and where he wanted to go. None: nobody of the mesh.
  [[nodiscard]] virtual std::optional<hd_connection> find_origin(int accepted) = 0;

  /// This worker's slots, and its part of the arena: hd_request.page counts from `first_page()`.
  [[nodiscard]] virtual std::span<hd_slot, HD_ROUND_MAX> slots() = 0;
  [[nodiscard]] virtual std::span<char> arena() = 0;
  [[nodiscard]] virtual std::uint32_t first_page() const = 0;

  /// The texts of the generation that decides now, and of every run() until this is called again; null: it is unknown here.
  [[nodiscard]] virtual std::shared_ptr<const Tables> begin_round() = 0;
  /// Works off the first `count` slots in one call, by the generation of the round. False: nothing was
  /// decided, and the reason is logged.
  [[nodiscard]] virtual bool run(std::uint32_t count) = 0;

  /// What listens at an address, by the generation that decides now; none: no endpoint of a service does.
  [[nodiscard]] virtual std::optional<hd_address> find_server(const std::uint8_t* address, std::uint16_t port) = 0;
  /// The texts of that generation.
  [[nodiscard]] virtual std::shared_ptr<const Tables> current_tables() = 0;

  /// The texts of a generation; null when it is gone.
  [[nodiscard]] virtual std::shared_ptr<const Tables> tables(std::uint64_t generation) = 0;
};

}  // namespace heddle::handler
