#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "bpf_templates/include/heddle/abi.h"
#include "runtime/base/fd.h"
#include "runtime/base/result.h"
#include "runtime/loader/map_io.h"
#include "runtime/loader/object.h"
#include "runtime/loader/state.h"

namespace heddle::loader {

/// One client, one server and this process as the handler between them, on the programs that serve real ones.
class Trial {
 public:
  /// The whole course, over one family of addresses; the process is in the cgroup already. What a machine has not
  /// (IPv6) is no failure. The result: how many references an enrolled socket has of its own (0: not tried).
  static Result<std::uint32_t> run(const std::string& cgroup, int family, hd_fast_path landing);

 private:
  explicit Trial(State state) : state_(std::move(state)) {}

  Result<void> prepare(const std::string& cgroup, hd_fast_path landing);
  Result<void> attach(const std::string& cgroup);
  Result<void> listen(int family);
  Result<void> connect_client();
  Result<void> connect_server();

  // The course. Each says what went wrong.
  Result<void> pass_before_armed();
  Result<void> exchange_fast();
  Result<void> count_references();
  Result<void> exchange_often();
  Result<void> move_large_request();
  Result<void> keep_order();
  Result<void> prove_landing();
  Result<void> bound_memory();
  Result<void> end_link();

  Result<void> send_fast(std::string_view text);
  Result<void> exchange();
  void arm();
  [[nodiscard]] hd_flow& flow() const;
  [[nodiscard]] std::uint32_t flow_state() const;
  [[nodiscard]] bool wait_for_state(std::uint32_t state) const;
  [[nodiscard]] bool has_landed() const;
  [[nodiscard]] bool lands() const;
  Result<void> answer(std::string_view response);

  State state_;
  Object program_;
  MapView flows_;
  MapView links_;
  UniqueFd link_sockops_;
  UniqueFd link_trace_;
  UniqueFd handler_listener_;
  UniqueFd server_listener_;
  UniqueFd client_;    // C
  UniqueFd handler_;   // H
  UniqueFd upstream_;  // U
  UniqueFd server_;    // S
  sockaddr_storage handler_address_{};
  sockaddr_storage server_address_{};
  socklen_t address_size_ = 0;
  hd_config config_{};
  std::uint64_t flow_id_ = 0;
  std::uint32_t received_ = 0;  // by H
  std::uint32_t sent_ = 0;      // by H
  int passed_on_ = 0;
};

}  // namespace heddle::loader
