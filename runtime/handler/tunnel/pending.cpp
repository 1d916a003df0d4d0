#include "runtime/handler/tunnel/pending.h"

#include "runtime/handler/tunnel/stream.h"

namespace heddle::tunnel {

void Pending::add(Stream& stream, std::uint32_t events) {
  stream.raised_ |= events;
  // Whoever does not watch yet is told when he does.
  if (stream.queued_ || stream.sink_ == nullptr || stream.closed_) return;
  stream.queued_ = true;
  stream.queue_place_ = streams_.size();
  streams_.push_back(&stream);
  ++count_;
}

void Pending::remove(Stream& stream) {
  if (!stream.queued_) return;
  stream.queued_ = false;
  streams_[stream.queue_place_] = nullptr;
  --count_;
}

void Pending::tell() {
  const std::size_t until = streams_.size();
  for (std::size_t i = 0; i < until; ++i) {
    Stream* const stream = streams_[i];
    if (stream == nullptr) continue;
    remove(*stream);
    const std::uint32_t events = stream->raised_;
    stream->raised_ = 0;
    stream->sink_->on_events(events);
  }
  streams_.erase(streams_.begin(), streams_.begin() + static_cast<std::ptrdiff_t>(until));
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    if (streams_[i] != nullptr) streams_[i]->queue_place_ = i;
  }
}

}  // namespace heddle::tunnel
