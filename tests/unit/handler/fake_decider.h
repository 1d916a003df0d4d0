#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/handler/decider.h"

namespace heddle::handler {

/// A policy in the same process, that the path of a request chooses from:
///   /respond, /big      200 with a short, a 300,000 byte body; /json with another type
///   /redirect/...       308 to /there/... by https
///   /deny /refuse /unhealthy /outside
///   /to/PORT/...        forwarded to 127.0.0.1:PORT, /to6/PORT/... to [::1]:PORT
///   /hasty/...          forwarded to the default port by a rule with a timeout
///   anything else       forwarded to the default port
class FakeDecider final : public Decider {
 public:
  explicit FakeDecider(std::uint16_t default_port);

  std::optional<hd_connection> find_origin(int accepted) override;
  std::span<hd_slot, HD_ROUND_MAX> slots() override { return std::span<hd_slot, HD_ROUND_MAX>(slots_); }
  std::span<char> arena() override { return arena_; }
  std::uint32_t first_page() const override { return 7; }
  std::shared_ptr<const Tables> begin_round() override { return tables_; }
  bool run(std::uint32_t count) override;
  std::optional<hd_address> find_server(const std::uint8_t* /*address*/, std::uint16_t /*port*/) override { return std::nullopt; }
  std::shared_ptr<const Tables> current_tables() override { return tables_; }
  std::shared_ptr<const Tables> tables(std::uint64_t generation) override;

  std::atomic<bool> denies_all{false};
  std::atomic<bool> fails{false};
  std::atomic<bool> knows_nobody{false};
  std::uint64_t flow = 0;         // of the next client
  std::uint32_t pending_max = 0;  // requests that wait for a full endpoint
  std::atomic<hd_transport> transport{HD_TRANSPORT_PLAINTEXT};
  static constexpr std::uint32_t hasty_ms = 60;

  // What was seen.
  std::atomic<std::uint64_t> calls{0};
  std::atomic<std::uint64_t> requests{0};
  std::vector<std::string> heads;
  std::vector<std::uint16_t> forms;
  std::vector<hd_event> events;
  std::uint32_t most_in_one_call = 0;
  bool keeps_record = true;

 private:
  struct Texts;

  [[nodiscard]] hd_decision decide(const hd_request& request, std::string_view head) const;
  [[nodiscard]] hd_decision decide_path(std::string_view path) const;

  std::uint16_t default_port_;
  std::vector<hd_slot> slots_;
  std::vector<char> arena_;
  std::shared_ptr<const Tables> tables_;
  Texts* texts_ = nullptr;  // of tables_
};

}  // namespace heddle::handler
