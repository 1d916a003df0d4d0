#include "runtime/handler/http/chunked.h"

#include <gtest/gtest.h>

#include <string>

#include "runtime/handler/http/body.h"

namespace heddle::http {
namespace {

struct Outcome {
  std::string passed;
  std::size_t consumed = 0;
  bool done = false;
  bool malformed = false;

  bool operator==(const Outcome&) const = default;
};

/// Reads `bytes` in pieces of `piece` bytes.
Outcome read(const std::string& bytes, std::size_t piece, bool strip) {
  ChunkedReader reader;
  Outcome outcome;
  for (std::size_t at = 0; at < bytes.size() && !reader.done() && !reader.malformed(); at += piece) {
    std::string part = bytes.substr(at, piece);
    const ChunkedReader::Taken taken = reader.take(part, strip);
    outcome.passed += part.substr(0, taken.produced);
    outcome.consumed += taken.consumed;
  }
  outcome.done = reader.done();
  outcome.malformed = reader.malformed();
  return outcome;
}

Outcome read(const std::string& bytes) {
  return read(bytes, bytes.size(), false);
}

TEST(Chunked, PassesWhatItIsGiven) {
  const std::string body = "5\r\nhello\r\n1;a=\"b c\"\r\n!\r\nA\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n";
  for (std::size_t piece = 1; piece <= body.size(); ++piece) {
    const Outcome outcome = read(body + "GET", piece, false);
    EXPECT_TRUE(outcome.done);
    EXPECT_EQ(outcome.passed, body) << piece;
    EXPECT_EQ(outcome.consumed, body.size()) << piece;
    EXPECT_EQ(read(body, piece, true).passed, "hello!0123456789") << piece;
  }
}

TEST(Chunked, Incomplete) {
  const std::string body = "5\r\nhello\r\n0\r\nX: y\r\n\r\n";
  for (std::size_t length = 0; length < body.size(); ++length) {
    const Outcome outcome = read(body.substr(0, length), 1, false);
    EXPECT_FALSE(outcome.done) << length;
    EXPECT_FALSE(outcome.malformed) << length;
  }
}

TEST(Chunked, Malformed) {
  for (const char* body : {"\r\n",
                           "x\r\n",
                           "-1\r\n",
                           "0x5\r\n",
                           " 5\r\n",
                           "5 \r\n",
                           "5\n",
                           "5\r\r\n",
                           "5\rx",
                           "5\r\nhello0\r\n",
                           "5\r\nhello\n",
                           "5\r\nhello\rx",
                           "1000000000000000\r\n",
                           "5;\x01\r\n",
                           "5;a\n",
                           "0\r\n\n",
                           "0\r\n x: y\r\n",
                           "0\r\nx : y\r\n",
                           "0\r\nx\r\n",
                           "0\r\nx: y\n",
                           "0\r\nx: y\r\r",
                           "0\r\n: y\r\n",
                           "0\r\n\rx",
                           ";a\r\n"}) {
    EXPECT_TRUE(read(body).malformed) << body;
  }
}

TEST(Chunked, LongestSize) {
  EXPECT_FALSE(read("fffffffffffffff\r\n").malformed);
}

TEST(Chunked, TrailersThatMeanSomethingElsewhere) {
  for (const char* name : {"Content-Length", "Transfer-Encoding", "Host", "Authorization", "Cookie",
                           "Connection", "x-heddle-rule", "Trailer", "Expect"}) {
    EXPECT_TRUE(read("0\r\n" + std::string(name) + ": x\r\n\r\n", 1, false).malformed) << name;
  }
  EXPECT_TRUE(read("0\r\nhost-of-something-with-a-long-name: x\r\n\r\n").done);
  EXPECT_TRUE(read("0\r\nhosts: x\r\n\r\n").done);
  EXPECT_TRUE(read("0\r\nA: x\r\nHost: x\r\n\r\n").malformed);
}

TEST(Chunked, Bounded) {
  EXPECT_TRUE(read("5;" + std::string(300, 'a')).malformed);
  EXPECT_TRUE(read("0\r\nx: " + std::string(20'000, 'a')).malformed);
  EXPECT_TRUE(read("0\r\n" + std::string(20'000, 'a')).malformed);
}

TEST(Body, LengthTakesNoMore) {
  Body body;
  body.start(Framing::length, 5);
  std::string bytes = "hello world";
  EXPECT_EQ(body.take({bytes.data(), 3}).consumed, 3U);
  EXPECT_FALSE(body.done());
  EXPECT_EQ(body.take(bytes).consumed, 2U);
  EXPECT_TRUE(body.done());
  EXPECT_EQ(body.take(bytes).consumed, 0U);
}

TEST(Body, Others) {
  Body body;
  std::string bytes = "hello";
  body.start(Framing::none, 7);
  EXPECT_TRUE(body.done());
  EXPECT_EQ(body.take(bytes).consumed, 0U);
  body.start(Framing::until_close, 0);
  EXPECT_EQ(body.take(bytes).produced, 5U);
  EXPECT_FALSE(body.done());
  EXPECT_TRUE(body.ends_at_close());
  body.start(Framing::chunked, 0, true);
  bytes = "2\r\nab\r\n0\r\n\r\n";
  EXPECT_EQ(body.take(bytes).produced, 2U);
  EXPECT_EQ(bytes.substr(0, 2), "ab");
  EXPECT_TRUE(body.done());
}

}  // namespace
}  // namespace heddle::http
