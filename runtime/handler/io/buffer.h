#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace heddle::io {

/// Blocks of memory in two sizes, taken while a connection has something in flight and given back when it has
/// not: an idle connection owns none. Steady traffic allocates nothing.
class BufferPool {
 public:
  enum class Size : std::uint8_t { small, large };
  static constexpr std::uint32_t small_bytes = 16 * 1024;
  /// A whole head of the longest allowed size, and some of what follows it.
  static constexpr std::uint32_t large_bytes = 68 * 1024;

  BufferPool() = default;
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;
  ~BufferPool();

  /// Large blocks at a time: a few connections have a long head, never all of them.
  static constexpr std::size_t large_max = 1024;

  /// Null only for a large block, when too many are out.
  [[nodiscard]] char* take(Size size);
  void give(char* block, Size size);

  /// Blocks that are out; what a test bounds.
  [[nodiscard]] std::size_t in_use() const { return in_use_; }

 private:
  std::vector<char*> free_[2];
  std::size_t in_use_ = 0;
  std::size_t large_in_use_ = 0;
};

/// One block or none, and the bytes [begin, end) in it that are of interest.
class Buffer {
 public:
  explicit Buffer(BufferPool& pool) : pool_(&pool) {}
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { release(); }

  [[nodiscard]] bool has_block() const { return data_ != nullptr; }
  [[nodiscard]] bool empty() const { return begin_ == end_; }
  [[nodiscard]] std::uint32_t size() const { return end_ - begin_; }
  [[nodiscard]] char* data() { return data_ + begin_; }
  [[nodiscard]] std::string_view view() const { return {data_ + begin_, size()}; }
  [[nodiscard]] std::uint32_t begin() const { return begin_; }
  [[nodiscard]] std::uint32_t capacity() const;

  /// Takes a small block if there is none; the bytes will begin at `headroom`.
  void acquire(std::uint32_t headroom = 0);
  void release();
  /// Forgets the bytes, keeps the block.
  void reset(std::uint32_t headroom = 0) { begin_ = end_ = headroom; }
  /// Moves the bytes to the front (behind `headroom`), so that the free space is behind them.
  void compact(std::uint32_t headroom = 0);
  /// Changes to a large block; the bytes stay. False: it is one, or there is none to be had.
  [[nodiscard]] bool grow(std::uint32_t headroom = 0);

  /// Free space behind the bytes.
  [[nodiscard]] std::span<char> space() { return {data_ + end_, capacity() - end_}; }
  void added(std::size_t bytes) { end_ += static_cast<std::uint32_t>(bytes); }
  void consume(std::size_t bytes) { begin_ += static_cast<std::uint32_t>(bytes); }
  /// Takes back what was consumed last; the caller knows that the bytes are still there.
  void restore(std::size_t bytes) { begin_ -= static_cast<std::uint32_t>(bytes); }
  void drop_back(std::size_t bytes) { end_ -= static_cast<std::uint32_t>(bytes); }
  [[nodiscard]] bool is_large() const { return size_ == BufferPool::Size::large; }

 private:
  BufferPool* pool_;
  char* data_ = nullptr;
  std::uint32_t begin_ = 0;
  std::uint32_t end_ = 0;
  BufferPool::Size size_ = BufferPool::Size::small;
};

}  // namespace heddle::io
