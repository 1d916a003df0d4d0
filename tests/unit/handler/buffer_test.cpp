#include "runtime/handler/io/buffer.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "runtime/handler/io/timers.h"

namespace heddle::io {
namespace {

void put(Buffer& buffer, std::string_view text) {
  std::memcpy(buffer.space().data(), text.data(), text.size());
  buffer.added(text.size());
}

TEST(Buffer, MovesAndGrows) {
  BufferPool pool;
  Buffer buffer(pool);
  EXPECT_EQ(pool.in_use(), 0U);
  buffer.acquire(10);
  put(buffer, "hello world");
  buffer.consume(6);
  EXPECT_EQ(buffer.view(), "world");
  buffer.restore(6);
  EXPECT_EQ(buffer.view(), "hello world");
  buffer.consume(6);
  buffer.compact(3);
  EXPECT_EQ(buffer.begin(), 3U);
  EXPECT_EQ(buffer.view(), "world");
  EXPECT_TRUE(buffer.grow(4));
  EXPECT_FALSE(buffer.grow(4));
  EXPECT_EQ(buffer.view(), "world");
  EXPECT_EQ(buffer.space().size(), BufferPool::large_bytes - 9);
  EXPECT_EQ(pool.in_use(), 1U);
  buffer.release();
  EXPECT_EQ(pool.in_use(), 0U);
  buffer.acquire();
  EXPECT_EQ(buffer.capacity(), BufferPool::small_bytes);
}

TEST(Buffer, LargeOnesAreBounded) {
  BufferPool pool;
  std::vector<char*> blocks;
  for (std::size_t i = 0; i < BufferPool::large_max; ++i)
    blocks.push_back(pool.take(BufferPool::Size::large));
  Buffer buffer(pool);
  buffer.acquire();
  put(buffer, "kept");
  EXPECT_FALSE(buffer.grow());
  EXPECT_EQ(buffer.view(), "kept");
  pool.give(blocks.back(), BufferPool::Size::large);
  blocks.pop_back();
  EXPECT_TRUE(buffer.grow());
  for (char* block : blocks) pool.give(block, BufferPool::Size::large);
}

struct Waiting final : Deadline {
  void on_deadline() override { ++rings; }
  int rings = 0;
};

TEST(Deadlines, InOrder) {
  Deadlines deadlines(100);
  Waiting first;
  Waiting second;
  EXPECT_EQ(deadlines.next_in(0), -1);
  deadlines.set(first, 0);
  deadlines.set(second, 50);
  EXPECT_EQ(deadlines.next_in(60), 40);
  deadlines.expire(99);
  EXPECT_EQ(first.rings, 0);
  deadlines.expire(100);
  EXPECT_EQ(first.rings, 1);
  EXPECT_EQ(second.rings, 0);
  EXPECT_FALSE(first.waiting());
  deadlines.set(second, 110);
  EXPECT_EQ(deadlines.next_in(110), 100);
  second.cancel();
  deadlines.expire(10'000);
  EXPECT_EQ(second.rings, 0);
}

}  // namespace
}  // namespace heddle::io
