#pragma once

#include <cstdint>
#include <list>
#include <unordered_map>

namespace heddle::handler {

/// A request that waits for a connection of an endpoint that has as many as it may.
class RoomWaiter {
 public:
  /// Tries once more; false: there still is no room.
  [[nodiscard]] virtual bool on_room() = 0;
  [[nodiscard]] bool in_queue() const { return queued_; }

 protected:
  ~RoomWaiter() = default;

 private:
  friend class RoomQueue;
  std::list<RoomWaiter*>::iterator place_;
  std::uint32_t endpoint_ = 0;
  bool queued_ = false;
};

/// Who waits for room, one queue for each endpoint, in order of coming.
class RoomQueue {
 public:
  /// Other workers' connections end without a sign: looked at so often.
  static constexpr int look_ms = 10;

  /// False: as many as may wait do so already.
  [[nodiscard]] bool enter(RoomWaiter& waiter, std::uint32_t endpoint, std::uint32_t most);
  void leave(RoomWaiter& waiter);
  /// Lets those try for whom there may be room by now.
  void run();
  [[nodiscard]] bool empty() const { return queues_.empty(); }

 private:
  std::unordered_map<std::uint32_t, std::list<RoomWaiter*>> queues_;  // by slot in hd_endpoint_state
};

}  // namespace heddle::handler
