#include "runtime/handler/room.h"

#include <vector>

namespace heddle::handler {

bool RoomQueue::enter(RoomWaiter& waiter, std::uint32_t endpoint, std::uint32_t most) {
  const auto found = queues_.find(endpoint);
  if (most == 0 || (found != queues_.end() && found->second.size() >= most)) return false;
  std::list<RoomWaiter*>& queue = queues_[endpoint];
  waiter.place_ = queue.insert(queue.end(), &waiter);
  waiter.endpoint_ = endpoint;
  waiter.queued_ = true;
  return true;
}

void RoomQueue::leave(RoomWaiter& waiter) {
  if (!waiter.queued_) return;
  waiter.queued_ = false;
  const auto found = queues_.find(waiter.endpoint_);
  found->second.erase(waiter.place_);
  if (found->second.empty()) queues_.erase(found);
}

void RoomQueue::run() {
  if (queues_.empty()) return;
  std::vector<std::uint32_t> endpoints;
  for (const auto& [endpoint, queue] : queues_) endpoints.push_back(endpoint);
  for (const std::uint32_t endpoint : endpoints) {
    for (auto found = queues_.find(endpoint); found != queues_.end(); found = queues_.find(endpoint)) {
      RoomWaiter& first = *found->second.front();
      if (!first.on_room()) break;
      leave(first);
    }
  }
}

}  // namespace heddle::handler
