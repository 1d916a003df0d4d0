#include "runtime/handler/round.h"

#include <array>
#include <cstring>

namespace heddle::handler {

namespace {

// Events that could not be reported because the decision function does not run.
constexpr std::size_t events_max = 4096;

std::uint32_t pages_of(std::size_t bytes) {
  return static_cast<std::uint32_t>((bytes + HD_PAGE_SIZE - 1) / HD_PAGE_SIZE);
}

// A head that is refused for its size or its method alone is not scanned.
bool is_scanned(hd_form form) {
  return form == HD_FORM_OK || form == HD_FORM_MALFORMED;
}

}  // namespace

/// An ID that is none holds nothing: it can only come from a certificate that was read otherwise.
const hd_peer& RemotePeer::look_up(const std::shared_ptr<const Tables>& tables) {
  if (tables_ != tables) {
    tables_ = tables;
    peer_ = tables->find_peer(spiffe_).value_or(hd_peer{});
  }
  return peer_;
}

Round::Round(Decider& decider, upstream::Ledger* ledger) : decider_(decider), ledger_(ledger) {
  heads_.reserve(1024);
  current_.reserve(1024);
  events_.reserve(events_max);
}

void Round::finish(const hd_event& event, std::uint64_t now_ms) {
  if (events_.empty()) first_event_ms_ = now_ms;
  if (events_.size() < events_max) events_.push_back(event);
}

std::int64_t Round::next_in(std::uint64_t now_ms) const {
  if (events_.empty()) return -1;
  const std::uint64_t due = first_event_ms_ + report_within_ms;
  return due <= now_ms ? 0 : static_cast<std::int64_t>(due - now_ms);
}

bool Round::events_due(std::uint64_t now_ms) const {
  return events_.size() >= HD_ROUND_MAX / 2 || next_in(now_ms) == 0;
}

void Round::run(std::uint64_t now_ms) {
  if (heads_.empty() && !events_due(now_ms)) return;
  current_.swap(heads_);
  tables_ = decider_.begin_round();
  std::size_t next_head = 0;
  std::size_t next_event = 0;
  do {
    const std::size_t first_head = next_head;
    const std::size_t first_event = next_event;
    const std::uint32_t count = fill(next_head, next_event);
    ++calls_;
    const bool ran = decider_.run(count);
    if (ran && ledger_ != nullptr) note_ended(first_event, next_event);
    give_out(first_head, static_cast<std::uint32_t>(next_head - first_head), ran);
  } while (next_head < current_.size() || events_.size() - next_event >= HD_ROUND_MAX);
  events_.erase(events_.begin(), events_.begin() + static_cast<std::ptrdiff_t>(next_event));
  if (!events_.empty()) first_event_ms_ = now_ms;
  current_.clear();
}

std::uint32_t Round::fill(std::size_t& next_head, std::size_t& next_event) {
  const auto slots = decider_.slots();
  std::uint32_t count = 0;
  std::uint32_t page = 0;
  while (count < HD_ROUND_MAX && next_head < current_.size() &&
         fill_head(slots[count], *current_[next_head], page)) {
    ++count;
    ++next_head;
  }
  while (count < HD_ROUND_MAX && next_event < events_.size()) {
    slots[count].op = HD_OP_FINISH;
    slots[count].finish = events_[next_event];
    ++count;
    ++next_event;
  }
  return count;
}

bool Round::fill_head(hd_slot& slot, Undecided& request, std::uint32_t& next_page) {
  const hd_connection& origin = request.origin();
  const hd_form form = request.form();
  const std::string_view head = is_scanned(form) ? request.head() : std::string_view();
  const std::uint32_t pages = pages_of(head.size());
  if (pages > HD_PAGES_PER_WORKER - next_page) return false;
  head.copy(decider_.arena().data() + std::size_t{next_page} * HD_PAGE_SIZE, head.size());
  slot.op = HD_OP_DECIDE;
  hd_request& in = slot.request;
  in.cgroup = origin.cgroup;
  in.netns_cookie = origin.netns_cookie;
  std::memcpy(in.source, origin.source, sizeof in.source);
  std::memcpy(in.destination, origin.destination, sizeof in.destination);
  in.source_port = origin.source_port;
  in.destination_port = origin.destination_port;
  in.form = static_cast<hd_u16>(form);
  in.flags = request.flags();
  in.page = decider_.first_page() + next_page;
  in.head_length = static_cast<hd_u32>(head.size());
  in.draw = 0;
  RemotePeer* const peer = request.peer();
  if (peer != nullptr && tables_ != nullptr) {
    in.flags |= HD_REQUEST_PEER;
    in.cgroup = 0;
    slot.peer = peer->look_up(tables_);
  }
  slot.decision.verdict = HD_VERDICT_NONE;
  next_page += pages;
  return true;
}

void Round::note_ended(std::size_t first_event, std::size_t end) {
  for (std::size_t i = first_event; i < end; ++i) ledger_->take_request(events_[i].decision);
}

void Round::give_out(std::size_t first_head, std::uint32_t count, bool ran) {
  // Copied before anything else happens: the slots are shared memory.
  std::array<hd_decision, HD_ROUND_MAX> decisions;
  const auto slots = decider_.slots();
  for (std::uint32_t i = 0; i < count; ++i) decisions[i] = slots[i].decision;
  for (std::uint32_t i = 0; i < count; ++i) {
    Undecided& request = *current_[first_head + i];
    if (ran && decisions[i].verdict != HD_VERDICT_NONE) {
      if (ledger_ != nullptr) ledger_->add_request(decisions[i]);
      request.decided(decisions[i]);
    } else {
      request.undecided();
    }
  }
}

}  // namespace heddle::handler
