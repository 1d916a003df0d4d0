#include "runtime/handler/fast_path.h"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace heddle::handler {

namespace {

// A piece lands within microseconds, unless its sender is not running: asked so often before others have a
// turn.
constexpr int landing_tries = 4;
// Rounds of the event loop that do not wait while something is landing.
constexpr std::uint32_t eager_rounds = 16;

void add(std::vector<FastClient*>& list, FastClient& client, std::uint32_t FastClient::* place) {
  client.*place = static_cast<std::uint32_t>(list.size());
  list.push_back(&client);
}

void remove(std::vector<FastClient*>& list, FastClient& client, std::uint32_t FastClient::* place) {
  if (client.*place == FastClient::nowhere) return;
  list[client.*place] = list.back();
  list[client.*place]->*place = client.*place;
  list.pop_back();
  client.*place = FastClient::nowhere;
}

template <typename T>
T read(const T& field) {
  return __atomic_load_n(&field, __ATOMIC_ACQUIRE);
}

}  // namespace

Result<void> FastPath::watch(io::EventLoop& loop) {
  const auto readable = static_cast<std::uint32_t>(EPOLLIN);
  if (kernel_.bell() < 0 || loop.add(kernel_.bell(), readable, *this)) return {};
  return Error{ErrorKind::io, std::string("cannot listen to the fast path's bell: ") + std::strerror(errno),
               ""};
}

// ---- clients
// -----------------------------------------------------------------------------------------------------

void FastPath::enter(FastClient& client, std::uint64_t id, FlowOwner& owner) {
  const std::span<hd_flow> flows = kernel_.flows();
  const std::uint32_t index = HD_ID_INDEX(id);
  if (id == 0 || index >= flows.size()) return;
  Flow flow(flows[index], id);
  if (flow.state() != HD_FLOW_TAKEN) return;
  flow.set_worker(kernel_.worker());
  client.flow = flow;
  client.owner = &owner;
  add(all_, client, &FastClient::place);
  if (by_index_.empty()) by_index_.resize(flows.size());
  by_index_[index] = &client;
}

hd_flow_state FastPath::leave(FastClient& client) {
  no_wait(client);
  remove(all_, client, &FastClient::place);
  const bool complete = client.flow.state() != HD_FLOW_DONE || landed(client.flow);
  const hd_flow_state was = client.flow.seize_any();
  // The record may be another client's by now, who was accepted before this one's end was seen.
  FastClient*& entry = by_index_[HD_ID_INDEX(client.flow.id())];
  if (entry == &client) entry = nullptr;
  if (was == HD_FLOW_FREE) return was;
  const bool idle = was == HD_FLOW_TAKEN || was == HD_FLOW_ARMED || (was == HD_FLOW_DONE && complete);
  if (idle) {
    give_back(client);
  } else if (Link* link = links.find(client.flow.link())) {
    links.kill(*link);
  }
  return was;
}

/// Nothing is under way on the links that a flow has kept: others may have them.
void FastPath::give_back(FastClient& client) {
  for (const std::uint64_t id : client.flow.links()) give_back(client, id);
}

void FastPath::give_back(FastClient& client, std::uint64_t id) {
  if (id == 0) return;
  const hd_link* const link = links.record(id);
  // A dead one stays with the flow, and goes with it.
  if (link == nullptr || read(link->state) != (std::uint64_t{HD_ID_GENERATION(id)} << 32 | HD_LINK_HELD))
    return;
  if (!client.flow.forget_link(id) || kernel_.give_link(id)) return;
  if (Link* own = links.find(id)) links.kill(*own);
}

bool FastPath::make_room(std::uint32_t endpoint_state) {
  if (links.make_room(endpoint_state)) return true;
  FastClient* longest = nullptr;
  Link* its = nullptr;
  std::uint64_t since = 0;
  for (Link* link : links.all(endpoint_state)) {
    const hd_link* const record = links.record(link->id());
    FastClient* const client = record == nullptr ? nullptr : find(read(record->flow));
    if (client == nullptr || !client->flow.keeps(link->id()) || client->flow.state() != HD_FLOW_ARMED) continue;
    const std::uint64_t begin = read(client->flow.record().begin_ns);
    if (longest != nullptr && begin >= since) continue;
    longest = client;
    its = link;
    since = begin;
  }
  if (longest == nullptr || !longest->flow.seize(HD_FLOW_ARMED)) return false;
  pool_.occupancy().note_eviction(endpoint_state);
  // What the flow kept may have changed until it was taken.
  const bool kept = longest->flow.keeps(its->id());
  if (kept) links.kill(*its);
  (void)longest->flow.rearm();
  return kept;
}

/// Clients that keep a link and do not use it, while others have none.
void FastPath::give_back_scarce(std::uint64_t now_ns) {
  for (FastClient* client : all_) {
    Flow& flow = client->flow;
    const auto kept = flow.links();
    const bool scarce = std::any_of(kept.begin(), kept.end(), [this](std::uint64_t id) {
      const hd_link* const link = links.record(id);
      return link != nullptr && pool_.occupancy().full(link->endpoint_state);
    });
    if (!scarce) continue;
    if (now_ns < read(flow.record().begin_ns) + resting_ns || !flow.seize(HD_FLOW_ARMED)) continue;
    give_back(*client);
    (void)flow.rearm();
  }
}

FastClient* FastPath::find(std::uint64_t id) const {
  const std::uint32_t index = HD_ID_INDEX(id);
  FastClient* const client = index < by_index_.size() ? by_index_[index] : nullptr;
  return client != nullptr && client->flow.id() == id ? client : nullptr;
}

bool FastPath::landed(const Flow& flow) {
  for (int i = 0; i < landing_tries; ++i) {
    hd_settle_round round{};
    round.flows[0] = flow.id();
    round.count = 1;
    if (!kernel_.settle(round)) return false;
    if ((round.landed & 1U) != 0) return true;
  }
  return false;
}

Flow::Taking FastPath::take(FastClient& client) {
  while (true) {
    const Flow::Taking taking = client.flow.take();
    if (taking != Flow::Taking::landing) return taking;
    if (!landed(client.flow)) return taking;
    if (client.flow.seize(HD_FLOW_DONE)) return Flow::Taking::taken;
  }
}

void FastPath::wait(FastClient& client) {
  if (client.waiting == FastClient::nowhere) add(waiting_, client, &FastClient::waiting);
  if (client.flow.state() == HD_FLOW_DONE) ++landing_;
}

void FastPath::no_wait(FastClient& client) {
  remove(waiting_, client, &FastClient::waiting);
}

// ---- what happens
// ------------------------------------------------------------------------------------------------

void FastPath::on_events(std::uint32_t) {
  rung_.clear();
  kernel_.listen(rung_);
  for (const hd_bell& bell : rung_) answer_bell(bell);
}

void FastPath::answer_bell(const hd_bell& bell) {
  if (bell.kind == HD_BELL_LINK) {
    if (Link* link = links.find(bell.id)) on_link_end(*link);
    return;
  }
  FastClient* const client = find(bell.id);
  if (client == nullptr) return;
  if (client->flow.state() == HD_FLOW_BROKEN) return client->owner->on_flow_broken();
  if (client->waiting != FastClient::nowhere) client->owner->on_flow();
}

void FastPath::on_link_end(Link& link) {
  if (link.lent()) return;
  const std::uint64_t id = link.id();
  FastClient* const client = id == 0 ? nullptr : find(read(links.record(id)->flow));
  links.kill(link);
  if (client == nullptr || client->flow.link() != id) return;
  const hd_flow_state state = client->flow.state();
  if (state == HD_FLOW_SENT || state == HD_FLOW_ANSWERING) client->owner->on_server_end();
}

void FastPath::on_link(Link& link) {
  // Bytes first, then the state: the programs say what will come over the link before they let it come.
  if (link.connection().stream().look().outcome == io::Transfer::again) return;
  const hd_link* const record = links.record(link.id());
  FastClient* const client = record == nullptr ? nullptr : find(read(record->flow));
  if (client != nullptr && client->flow.link() == link.id()) {
    const hd_flow_state state = client->flow.state();
    if (state == HD_FLOW_SPILL || state == HD_FLOW_FRAMED) return client->owner->on_response(link);
  }
  on_link_end(link);
}

// ---- from time to time
// -------------------------------------------------------------------------------------------

void FastPath::run(std::uint64_t now_ns) {
  const std::uint64_t now_ms = now_ns / 1'000'000;
  links.tick(now_ns);
  if (landing_ != 0) look_at_landing();
  if (now_ms >= next_scan_ms_) {
    next_scan_ms_ = now_ms + scan_ms;
    scan(now_ns);
    look_at_waiting();
  }
}

std::int64_t FastPath::next_in(std::uint64_t now_ms) const {
  if (landing_ != 0) return landing_rounds_ < eager_rounds ? 0 : 1;
  if (!all_.empty() || links.opening())
    return next_scan_ms_ <= now_ms ? 0 : static_cast<std::int64_t>(next_scan_ms_ - now_ms);
  return links.any() ? 1'000 : -1;
}

template <typename Call>
void FastPath::call_all(std::vector<std::uint64_t>& ids, Call call) {
  for (const std::uint64_t id : ids) {
    if (FastClient* const client = find(id)) call(*client);
  }
  ids.clear();
}

/// Bells can be lost, and a client can go without a sign.
void FastPath::look_at_waiting() {
  woken_.clear();
  for (const FastClient* client : waiting_) woken_.push_back(client->flow.id());
  call_all(woken_, [](FastClient& client) {
    if (client.waiting != FastClient::nowhere) client.owner->on_flow();
  });
}

void FastPath::look_at_landing() {
  landing_ = 0;
  woken_.clear();
  for (const FastClient* client : waiting_) {
    if (client->flow.state() == HD_FLOW_DONE) woken_.push_back(client->flow.id());
  }
  // Who goes on waiting counts itself again.
  call_all(woken_, [](FastClient& client) { client.owner->on_flow(); });
  landing_rounds_ = landing_ == 0 ? 0 : landing_rounds_ + 1;
}

void FastPath::look_at_busy(const Flow& flow, hd_flow_state state, std::uint64_t now_ns) {
  const std::uint64_t deadline = read(flow.record().deadline_ns);
  if (deadline != 0 && now_ns > deadline) {
    late_.push_back(flow.id());
  } else if (state == HD_FLOW_SENT || state == HD_FLOW_ANSWERING) {
    if (links.find(flow.link()) == nullptr) orphaned_.push_back(flow.id());
    const std::uint64_t since = std::max(read(flow.record().begin_ns), looking_since_ns_);
    if (state == HD_FLOW_SENT && now_ns > since + stalled_ns) suspects_.push_back(flow.id());
  }
}

void FastPath::scan(std::uint64_t now_ns) {
  const std::uint64_t now_ms = now_ns / 1'000'000;
  const bool settles = now_ms >= next_settle_ms_;
  if (settles) next_settle_ms_ = now_ms + settle_ms;
  suspects_.clear();
  if (now_ns > last_scan_ns_ + starved_ns) looking_since_ns_ = now_ns;
  last_scan_ns_ = now_ns;
  for (const FastClient* client : all_) {
    const Flow& flow = client->flow;
    const hd_flow_state state = flow.state();
    if (flow.busy()) look_at_busy(flow, state, now_ns);
    if (state == HD_FLOW_BROKEN) broken_.push_back(flow.id());
    const bool rests = state == HD_FLOW_DONE || state == HD_FLOW_ARMED;
    if (settles && rests && read(flow.record().queued) != 0) unsettled_.push_back(flow.id());
  }
  call_all(broken_, [](FastClient& client) { client.owner->on_flow_broken(); });
  call_all(late_, [](FastClient& client) { client.owner->on_flow_late(); });
  call_all(orphaned_, [this](FastClient& client) { look_at_orphan(client); });
  if (!settles) return;
  if (now_ms >= next_give_ms_) {
    next_give_ms_ = now_ms + resting_ns / 1'000'000;
    give_back_scarce(now_ns);
  }
  settle_all(unsettled_);
  settle_all(suspects_, &unread_);
  call_all(unread_, [this, now_ns](const FastClient& client) { go_slow(client.flow, now_ns); });
}

/// A server that leaves a request unread for so long may not see it, because of how it reads. Others to the same endpoint,
/// whichever worker has their clients, go through the handler, over connections of its own.
void FastPath::go_slow(const Flow& flow, std::uint64_t now_ns) {
  const hd_link* const link = links.record(flow.link());
  if (link == nullptr || flow.state() != HD_FLOW_SENT) return;
  const upstream::Occupancy& endpoints = pool_.occupancy();
  if (!endpoints.slow(link->endpoint_state, now_ns)) {
    log_.line("warning", "a server has left a request unread for a second: for a minute those to the same endpoint do not take "
                         "the fast path");
  }
  endpoints.go_slow(link->endpoint_state, now_ns + slow_ns);
}

/// A request on a link that is not known here. It may have been opened a moment ago, or be one that was
/// closed a moment before the request took it: then no event will come for it.
void FastPath::look_at_orphan(FastClient& client) {
  if (links.learn_all(client.flow.link())) return;
  const std::uint64_t word = client.flow.word();
  if (std::exchange(client.orphaned, word) == word) client.owner->on_server_end();
}

/// `unread`: those whose request their server has not read.
void FastPath::settle_all(std::vector<std::uint64_t>& ids, std::vector<std::uint64_t>* unread) {
  for (std::size_t i = 0; i < ids.size(); i += HD_SETTLE_MAX) {
    const auto some = std::span(ids).subspan(i, std::min<std::size_t>(HD_SETTLE_MAX, ids.size() - i));
    hd_settle_round round{};
    std::copy(some.begin(), some.end(), std::begin(round.flows));
    round.count = static_cast<hd_u32>(some.size());
    if (!kernel_.settle(round) || unread == nullptr) continue;
    for (std::size_t at = 0; at < some.size(); ++at) {
      if ((round.waiting >> at & 1U) != 0) unread->push_back(some[at]);
    }
  }
  ids.clear();
}

}  // namespace heddle::handler
