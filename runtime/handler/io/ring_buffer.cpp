#include "runtime/handler/io/ring_buffer.h"

#include <linux/bpf.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "runtime/handler/io/bpf.h"

namespace heddle::io {

Result<RingBuffer> RingBuffer::make(int map) {
  const Result<bpf::MapInfo> info = bpf::map_info(map);
  if (!info) return info.error();
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t bytes = info->max_entries;
  RingBuffer ring;
  ring.consumer_ = Mapping::of(map, page, Mapping::Access::write);
  if (ring.consumer_) ring.producer_ = Mapping::of(map, page + 2 * bytes, Mapping::Access::read, page);
  if (!ring.producer_) {
    return Error{ErrorKind::io, std::string("cannot map a ring buffer: ") + std::strerror(errno), ""};
  }
  ring.mask_ = bytes - 1;
  return ring;
}

bool RingBuffer::next(std::span<const std::byte>& record) {
  const auto page = static_cast<std::size_t>(consumer_.bytes());
  const std::uint64_t position =
      __atomic_load_n(reinterpret_cast<std::uint64_t*>(consumer_.data()), __ATOMIC_RELAXED);
  const std::uint64_t written =
      __atomic_load_n(reinterpret_cast<const std::uint64_t*>(producer_.data()), __ATOMIC_ACQUIRE);
  if (position >= written) return false;
  const char* const header = producer_.data() + page + (position & mask_);
  const std::uint32_t word =
      __atomic_load_n(reinterpret_cast<const std::uint32_t*>(header), __ATOMIC_ACQUIRE);
  if ((word & BPF_RINGBUF_BUSY_BIT) != 0) return false;
  const std::uint32_t bytes = word & ~(std::uint32_t{BPF_RINGBUF_DISCARD_BIT} | BPF_RINGBUF_BUSY_BIT);
  length_ = (std::uint64_t{bytes} + BPF_RINGBUF_HDR_SZ + 7) / 8 * 8;
  const bool discarded = (word & BPF_RINGBUF_DISCARD_BIT) != 0;
  record = {reinterpret_cast<const std::byte*>(header) + BPF_RINGBUF_HDR_SZ, discarded ? 0 : bytes};
  return true;
}

void RingBuffer::advance() {
  auto* const position = reinterpret_cast<std::uint64_t*>(consumer_.data());
  __atomic_store_n(position, *position + length_, __ATOMIC_RELEASE);
}

}  // namespace heddle::io
