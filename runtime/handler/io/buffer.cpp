#include "runtime/handler/io/buffer.h"

#include <cstdlib>
#include <cstring>

namespace heddle::io {

namespace {

constexpr std::uint32_t block_bytes[] = {BufferPool::small_bytes, BufferPool::large_bytes};
// What is kept for the next burst; beyond it memory goes back.
constexpr std::size_t kept[] = {256, 16};

std::size_t index_of(BufferPool::Size size) {
  return static_cast<std::size_t>(size);
}

}  // namespace

BufferPool::~BufferPool() {
  for (auto& blocks : free_) {
    for (char* block : blocks) std::free(block);
  }
}

char* BufferPool::take(Size size) {
  if (size == Size::large && large_in_use_ == large_max) return nullptr;
  ++in_use_;
  if (size == Size::large) ++large_in_use_;
  auto& blocks = free_[index_of(size)];
  if (!blocks.empty()) {
    char* block = blocks.back();
    blocks.pop_back();
    return block;
  }
  auto* block = static_cast<char*>(std::malloc(block_bytes[index_of(size)]));
  if (block == nullptr) std::abort();
  return block;
}

void BufferPool::give(char* block, Size size) {
  --in_use_;
  if (size == Size::large) --large_in_use_;
  auto& blocks = free_[index_of(size)];
  if (blocks.size() >= kept[index_of(size)]) return std::free(block);
  if (blocks.capacity() == 0) blocks.reserve(kept[index_of(size)]);
  blocks.push_back(block);
}

std::uint32_t Buffer::capacity() const {
  return data_ == nullptr ? 0 : block_bytes[index_of(size_)];
}

void Buffer::acquire(std::uint32_t headroom) {
  if (data_ != nullptr) return;
  size_ = BufferPool::Size::small;
  data_ = pool_->take(size_);
  reset(headroom);
}

void Buffer::release() {
  if (data_ == nullptr) return;
  pool_->give(data_, size_);
  data_ = nullptr;
  begin_ = end_ = 0;
}

void Buffer::compact(std::uint32_t headroom) {
  if (begin_ == headroom) return;
  const std::uint32_t bytes = size();
  std::memmove(data_ + headroom, data_ + begin_, bytes);
  begin_ = headroom;
  end_ = headroom + bytes;
}

bool Buffer::grow(std::uint32_t headroom) {
  if (size_ == BufferPool::Size::large) return false;
  char* larger = pool_->take(BufferPool::Size::large);
  if (larger == nullptr) return false;
  const std::uint32_t bytes = size();
  std::memcpy(larger + headroom, data_ + begin_, bytes);
  pool_->give(data_, size_);
  data_ = larger;
  size_ = BufferPool::Size::large;
  begin_ = headroom;
  end_ = headroom + bytes;
  return true;
}

}  // namespace heddle::io
