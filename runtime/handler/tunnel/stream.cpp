#include "runtime/handler/tunnel/stream.h"

#include <nghttp2/nghttp2.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "runtime/handler/tunnel/pending.h"
#include "runtime/handler/tunnel/session.h"

namespace heddle::tunnel {

// ---- what came
// ---------------------------------------------------------------------------------------------------

void Inbox::add(std::string_view bytes) {
  size_ += bytes.size();
  while (!bytes.empty()) {
    if (blocks_.empty() || blocks_.back().end == io::BufferPool::small_bytes)
      blocks_.push_back({pool_->take(io::BufferPool::Size::small), 0, 0});
    Block& last = blocks_.back();
    const std::size_t count = std::min<std::size_t>(bytes.size(), io::BufferPool::small_bytes - last.end);
    std::memcpy(last.data + last.end, bytes.data(), count);
    last.end += static_cast<std::uint32_t>(count);
    bytes.remove_prefix(count);
  }
}

std::size_t Inbox::take(std::span<char> space) {
  std::size_t taken = 0;
  while (taken < space.size() && !blocks_.empty()) {
    Block& first = blocks_.front();
    const std::size_t count = std::min<std::size_t>(space.size() - taken, first.end - first.begin);
    std::memcpy(space.data() + taken, first.data + first.begin, count);
    first.begin += static_cast<std::uint32_t>(count);
    taken += count;
    if (first.begin == first.end) drop_first();
  }
  size_ -= taken;
  return taken;
}

void Inbox::drop_first() {
  pool_->give(blocks_.front().data, io::BufferPool::Size::small);
  blocks_.erase(blocks_.begin());
}

void Inbox::clear() {
  while (!blocks_.empty()) drop_first();
  size_ = 0;
}

// ---- as a connection
// -------------------------------------------------------------------------------------------

Stream::Stream(Session& session, Pending& pending, std::int32_t id, io::BufferPool& pool)
    : session_(&session), pending_(pending), inbox_(pool), id_(id) {}

Stream::~Stream() {
  close();
}

bool Stream::watch(io::EventLoop& /*loop*/, io::EventSink& sink) {
  sink_ = &sink;
  if (raised_ != 0) pending_.add(*this, 0);  // what came before anybody watched
  return !closed_;
}

io::Transfer Stream::nothing_there() const {
  if (broken_ && error_ != 0) return {io::Transfer::failed, 0};
  if (peer_ended_) return {io::Transfer::closed, 0};
  return {broken_ ? io::Transfer::failed : io::Transfer::again, 0};
}

io::Transfer Stream::receive(std::span<char> space) {
  // A reset takes with it what was not read, as TCP's does.
  if (inbox_.empty() || error_ != 0) {
    const io::Transfer nothing = nothing_there();
    if (nothing.outcome == io::Transfer::again) readable_ = false;
    return nothing;
  }
  const std::size_t count = inbox_.take(space);
  received_ += count;
  if (session_ != nullptr) session_->consumed(*this, count);
  if (count < space.size() && !peer_ended_ && !broken_) readable_ = false;
  return {io::Transfer::done, count};
}

io::Transfer Stream::look() {
  if (!inbox_.empty() && error_ == 0) return {io::Transfer::done, 1};
  const io::Transfer nothing = nothing_there();
  if (nothing.outcome == io::Transfer::again) readable_ = false;
  return nothing;
}

io::Transfer Stream::send(std::span<const char> bytes, bool /*more*/) {
  if (session_ == nullptr || broken_ || ends_) return {io::Transfer::failed, 0};
  if (!answered_) {
    writable_ = false;
    return {io::Transfer::again, 0};
  }
  sending_ = bytes;
  nghttp2_session_resume_data(session_->session_, id_);
  session_->flush();
  const std::size_t count = bytes.size() - sending_.size();
  sending_ = {};
  sent_ += count;
  if (count == bytes.size()) return {io::Transfer::done, count};
  writable_ = false;
  if (session_ == nullptr || broken_) return {io::Transfer::failed, 0};
  session_->wait(*this);
  return {count != 0 ? io::Transfer::done : io::Transfer::again, count};
}

bool Stream::reusable() const {
  return session_ != nullptr && !session_->draining_;
}

int Stream::take_error() {
  return std::exchange(error_, 0);
}

void Stream::accept() {
  if (session_ != nullptr) session_->accept(*this);
}

void Stream::refuse(std::uint16_t status) {
  if (session_ != nullptr) session_->refuse(*this, status);
}

void Stream::shut_down_writing() {
  if (session_ == nullptr || ends_) return;
  ends_ = true;
  nghttp2_session_resume_data(session_->session_, id_);
  session_->flush();
}

void Stream::close() {
  if (closed_) return;
  closed_ = true;
  pending_.remove(*this);
  if (session_ != nullptr) session_->let_go(*this);
  inbox_.clear();
}

}  // namespace heddle::tunnel
