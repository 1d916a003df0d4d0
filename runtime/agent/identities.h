#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "runtime/agent/loop.h"
#include "runtime/agent/workers.h"
#include "runtime/handler/tls/identity_store.h"
#include "runtime/handler/tls/ticket_keys.h"

namespace heddle::agent {

/// The certificates of this node: looked at every second, and handed to the workers whenever they change.
class Identities {
 public:
  Identities(Loop& loop, std::string folder);

  /// Reads them, and goes on looking. `workers` outlive this.
  void begin(Workers& workers);
  [[nodiscard]] nlohmann::json status() const;

 private:
  void look();
  void hand_over();
  void say_what_changed(std::int64_t now);
  bool rotate_keys(std::int64_t now);

  Loop& loop_;
  std::string folder_;
  tls::IdentityStore store_;
  Workers* workers_ = nullptr;
  tls::TicketKeys keys_;
  std::int64_t keys_since_ = 0;
  std::map<std::string, std::string> said_;  // of each identity, the last thing that was logged
};

}  // namespace heddle::agent
