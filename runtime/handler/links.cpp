#include "runtime/handler/links.h"

#include <algorithm>
#include <utility>

namespace heddle::handler {

namespace {

constexpr std::uint64_t sweep_ms = 1'000;

std::uint64_t word_of(std::uint64_t id, hd_link_state state) {
  return std::uint64_t{HD_ID_GENERATION(id)} << 32 | state;
}

}  // namespace

// ---- one link
// ----------------------------------------------------------------------------------------------------

bool Link::prepare(int socket) {
  return links_.kernel_.enrol(socket, endpoint_state_);
}

void Link::take_back() {
  user_ = nullptr;
  connection_->in.release();
}

void Link::on_upstream_events() {
  if (user_ != nullptr) return user_->on_upstream_events();
  if (!connected_) links_.connected(*this);
  if (connection_ == nullptr || !connection_->stream().readable()) return;
  if (id_ == 0) links_.learn(*this);
  links_.watcher_.on_link(*this);
}

// ---- all of a worker
// ---------------------------------------------------------------------------------------------

Links::~Links() {
  for (auto& [slot, group] : groups_) {
    while (!group.links.empty()) kill(*group.links.back());
  }
  collect();
}

bool Links::leads_to(std::uint64_t id, std::uint32_t endpoint_state) {
  const hd_link* const entry = record(id);
  return entry != nullptr && entry->endpoint_state == endpoint_state &&
         __atomic_load_n(&entry->state, __ATOMIC_ACQUIRE) == word_of(id, HD_LINK_HELD);
}

bool Links::want(const upstream::Endpoint& endpoint, std::span<const std::uint64_t> kept) {
  if (endpoint.state == HD_NONE) return true;
  for (const std::uint64_t id : kept) {
    if (leads_to(id, endpoint.state)) return true;
  }
  const auto [entry, is_new] = groups_.try_emplace(endpoint.state);
  Group& group = entry->second;
  // A worker before this one may have left dead links on the list.
  if (is_new) kernel_.sweep_links(endpoint.state);
  if (pool_.occupancy().slow(endpoint.state, now_ms_ * 1'000'000)) return true;
  if (now_ms_ < group.not_before_ms || kernel_.has_idle_link(endpoint.state)) return true;
  if (open_ >= HD_LINKS_MAX || group.opening >= (group.reached ? opening_max : 1)) return true;
  if (!pool_.reserve(endpoint)) return false;
  auto* link = new Link(*this, endpoint.state, now_ms_);
  link->connection_ = pool_.connect(endpoint, *link, link);
  if (link->connection_ == nullptr) {
    group.not_before_ms = now_ms_ + refused_ms;
    delete link;
    return true;
  }
  link->place_ = static_cast<std::uint32_t>(group.links.size());
  group.links.push_back(link);
  opening_.push_back(link);
  ++group.opening;
  ++open_;
  return true;
}

Link* Links::find(std::uint64_t id) {
  const std::uint32_t index = HD_ID_INDEX(id);
  Link* const link = index < by_index_.size() ? by_index_[index] : nullptr;
  return link != nullptr && link->id_ == id ? link : nullptr;
}

hd_link* Links::record(std::uint64_t id) {
  const std::uint32_t index = HD_ID_INDEX(id);
  return id != 0 && index < kernel_.links().size() ? &kernel_.links()[index] : nullptr;
}

bool Links::mark(std::uint64_t id, hd_link_state from) {
  hd_link* const entry = record(id);
  std::uint64_t seen = word_of(id, from);
  return entry != nullptr && __atomic_compare_exchange_n(&entry->state, &seen, word_of(id, HD_LINK_DEAD),
                                                         false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

void Links::kill(Link& link) {
  if (link.connection_ == nullptr) return;
  if (link.id_ == 0) learn(link);
  // It can only go from one of these to the next, or from the last to the one before; once more for that.
  for (int i = 0; i < 2; ++i) {
    for (const hd_link_state state : {HD_LINK_OPENING, HD_LINK_IDLE, HD_LINK_HELD}) {
      if (mark(link.id_, state)) i = 2;
    }
  }
  if (find(link.id_) == &link) by_index_[HD_ID_INDEX(link.id_)] = nullptr;
  if (const auto found = std::find(opening_.begin(), opening_.end(), &link); found != opening_.end())
    end_opening(static_cast<std::size_t>(found - opening_.begin()));
  Group& group = groups_[link.endpoint_state_];
  group.dead = unswept_ = true;
  group.links[link.place_] = group.links.back();
  group.links[link.place_]->place_ = link.place_;
  group.links.pop_back();
  link.connection_->in.release();
  pool_.discard(*link.connection_);
  link.connection_ = nullptr;
  link.user_ = nullptr;
  --open_;
  dead_.push_back(&link);
}

bool Links::make_room(std::uint32_t endpoint_state) {
  const auto found = groups_.find(endpoint_state);
  if (found == groups_.end()) return false;
  for (Link* link : found->second.links) {
    if (!mark(link->id_, HD_LINK_IDLE)) continue;
    pool_.occupancy().note_eviction(endpoint_state);
    kill(*link);
    return true;
  }
  return false;
}

void Links::evict_one(std::uint32_t but) {
  for (auto& [slot, group] : groups_) {
    if (slot == but || !make_room(slot)) continue;
    // Its record is free when both sockets have ended, which is soon, and when the list has let go of it.
    kernel_.sweep_links(slot);
    return;
  }
}

std::span<Link* const> Links::all(std::uint32_t endpoint_state) const {
  const auto found = groups_.find(endpoint_state);
  return found == groups_.end() ? std::span<Link* const>() : found->second.links;
}

void Links::collect() {
  for (Link* link : dead_) delete link;
  dead_.clear();
}

// ---- opening and closing
// -----------------------------------------------------------------------------------------

void Links::connected(Link& link) {
  io::Stream& stream = link.connection_->stream();
  if (!stream.writable() && !stream.broken()) return;
  if (stream.take_error() != 0) return give_up(link, refused_ms);
  link.connected_ = true;
  link.since_ms_ = now_ms_;
  learn(link);
}

/// The programs know the link as soon as it is connected; its id lies with the socket.
void Links::learn(Link& link) {
  link.id_ = kernel_.find_link(link.connection_->stream().fd());
  if (by_index_.empty()) by_index_.resize(std::max<std::size_t>(kernel_.links().size(), 1));
  if (link.id_ != 0 && HD_ID_INDEX(link.id_) < by_index_.size()) by_index_[HD_ID_INDEX(link.id_)] = &link;
}

bool Links::learn_all(std::uint64_t id) {
  for (Link* link : opening_) {
    if (link->id_ == 0) learn(*link);
  }
  return find(id) != nullptr;
}

void Links::give_up(Link& link, std::uint64_t for_ms) {
  Group& group = groups_[link.endpoint_state_];
  group.not_before_ms = now_ms_ + for_ms;
  group.reached = false;
  kill(link);
}

void Links::end_opening(std::size_t place) {
  --groups_[opening_[place]->endpoint_state_].opening;
  opening_.erase(opening_.begin() + static_cast<std::ptrdiff_t>(place));
}

void Links::look_at_opening() {
  std::uint32_t without_record = HD_NONE;
  for (std::size_t i = opening_.size(); i-- > 0;) {
    Link& link = *opening_[i];
    if (link.connected_ && link.id_ == 0) learn(link);
    if (link.connected_ && link.id_ == 0) {
      without_record = link.endpoint_state_;
      give_up(link, scarce_ms);
      continue;
    }
    const hd_link* const entry = record(link.id_);
    const std::uint64_t state = entry == nullptr ? 0 : __atomic_load_n(&entry->state, __ATOMIC_ACQUIRE);
    if (entry != nullptr && state != word_of(link.id_, HD_LINK_OPENING)) {
      if (state != word_of(link.id_, HD_LINK_DEAD)) groups_[link.endpoint_state_].reached = true;
      end_opening(i);
    } else if (now_ms_ >= link.since_ms_ + (link.connected_ ? opening_ms : 5 * opening_ms)) {
      give_up(link, link.connected_ ? unreachable_ms : refused_ms);
    }
  }
  if (without_record != HD_NONE) evict_one(without_record);
}

void Links::close_idle(std::uint64_t now_ns) {
  for (auto& [slot, group] : groups_) {
    for (std::size_t i = group.links.size(); i-- > 0;) {
      Link& link = *group.links[i];
      const hd_link* const entry = record(link.id_);
      if (entry == nullptr || link.lent()) continue;
      if (__atomic_load_n(&entry->state, __ATOMIC_ACQUIRE) == word_of(link.id_, HD_LINK_DEAD)) {
        ended_.push_back(link.id_);
        continue;
      }
      const std::uint64_t since = __atomic_load_n(&entry->idle_since, __ATOMIC_RELAXED);
      if (now_ns <= since + idle_ms * 1'000'000 || !mark(link.id_, HD_LINK_IDLE)) continue;
      pool_.occupancy().note_eviction(slot);
      kill(link);
    }
  }
}

void Links::sweep() {
  if (!std::exchange(unswept_, false)) return;
  for (auto& [slot, group] : groups_) {
    if (!std::exchange(group.dead, false)) continue;
    kernel_.sweep_links(slot);
  }
}

void Links::tick(std::uint64_t now_ns) {
  now_ms_ = now_ns / 1'000'000;
  look_at_opening();
  if (now_ms_ < next_sweep_ms_) return;
  next_sweep_ms_ = now_ms_ + sweep_ms;
  close_idle(now_ns);
  for (const std::uint64_t id : ended_) {
    if (Link* link = find(id)) watcher_.on_link_end(*link);
  }
  ended_.clear();
  sweep();
}

}  // namespace heddle::handler
