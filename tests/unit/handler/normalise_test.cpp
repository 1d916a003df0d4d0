#include "runtime/handler/http/normalise.h"

#include <gtest/gtest.h>

#include <string>

namespace heddle::http {
namespace {

std::string normalised(const std::string& target, PathMode mode) {
  const std::string rest = " HTTP/1.1\r\nHost: a\r\n\r\n";
  std::string head = "GET " + target + rest;
  const std::uint32_t cut = normalise_target(head.data(), static_cast<std::uint32_t>(head.size()), mode);
  head.erase(0, cut);
  EXPECT_TRUE(head.starts_with("GET ") && head.ends_with(rest)) << head;
  return head.substr(4, head.size() - 4 - rest.size());
}

struct Row {
  const char* target;
  const char* merged;
  const char* decoded;
};

// The evaluator has the same table (tests/unit/eval/head_test.cpp); what is null is refused there, and left here for
// the decision function to refuse.
TEST(Normalise, PathsAreResolved) {
  const Row rows[] = {
      {"/", "/", "/"},
      {"/a/b", "/a/b", "/a/b"},
      {"//", "/", "/"},
      {"//a///b", "/a/b", "/a/b"},
      {"/a//", "/a/", "/a/"},
      {"/./a", "/a", "/a"},
      {"/a/.", "/a/", "/a/"},
      {"/a/./b", "/a/b", "/a/b"},
      {"/a/..", "/", "/"},
      {"/a/b/..", "/a/", "/a/"},
      {"/a/b/../c", "/a/c", "/a/c"},
      {"/a//../b", "/b", "/b"},
      {"/a/...", "/a/...", "/a/..."},
      {"/.a/..b/c.", "/.a/..b/c.", "/.a/..b/c."},
      {"/..", "/..", "/.."},
      {"/a/../../b", "/../b", "/../b"},
      {"/..//x/..", "/..//x/..", "/..//x/.."},
      {"/%61", "/%61", "/a"},
      {"/a%2Fb", "/a%2Fb", "/a/b"},
      {"/a%2f%2fb", "/a%2f%2fb", "/a/b"},
      {"/a%5Cb", "/a%5Cb", "/a/b"},
      {"/a/%2e%2E/b", "/a/%2e%2E/b", "/b"},
      {"/%2e%2e/b", "/%2e%2e/b", "/%2e%2e/b"},
      {"/a%2F..%2fb", "/a%2F..%2fb", "/b"},
      {"/%252e%252e/b", "/%252e%252e/b", "/%252e%252e/b"},
      {"/y/../%5c%2E%2e/b", "/%5c%2E%2e/b", "/%2E%2e/b"},
      {"/y/..%2f%2F../b", "/y/..%2f%2F../b", "/../b"},
      {"/x//..%5C./../", "/x/..%5C./../", "/../"},
      {"//a;/../b", "/a;/../b", "/a;/../b"},
      {"/a//%41/..//", "/a/%41/..//", "/a/"},
      {"//%00/../b", "/%00/../b", "/%00/../b"},
      {"//%/../b", "/%/../b", "/%/../b"},
      {"/a%3Bb%00%zz%4", "/a%3Bb%00%zz%4", "/a%3Bb%00%zz%4"},
      {"/a//b?x//y/../z", "/a/b?x//y/../z", "/a/b?x//y/../z"},
      {"/a?%41%2F%5C%26", "/a?%41%2F%5C%26", "/a?A/%5C%26"},
      {"/a/..?/..", "/?/..", "/?/.."},
      {"//?", "/?", "/?"},
      {"//a;b/../c", "/a;b/../c", "/a;b/../c"},
      {"//a\\/..", "/a\\/..", "/a\\/.."},
      {"//a#/../c?d", "/a#/../c?d", "/a#/../c?d"},
      {"//a%00/../c", "/a%00/../c", "/a%00/../c"},
      {"//a%/../c", "/a%/../c", "/a%/../c"},
      {"//a%2F/../c", "/a%2F/../c", "/c"},
      {"/%%61a?%%61a", "/%%61a?%%61a", "/%%61a?%%61a"},
      {"/%61?%61#%61", "/%61?%61#%61", "/a?a#%61"},
      {"//a%2e/../c", "/a%2e/../c", "/c"},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(normalised(row.target, PathMode::strict), row.target);
    EXPECT_EQ(normalised(row.target, PathMode::merge), row.merged) << row.target;
    EXPECT_EQ(normalised(row.target, PathMode::decode), row.decoded) << row.target;
  }
}

TEST(Normalise, WhatIsNoHeadStaysAsItIs) {
  for (const std::string head : {"", "GET", "GET ", "GET  ", "GET x//y HTTP/1.1\r\n", "GET *", "\r\n\r\n"}) {
    std::string bytes = head;
    EXPECT_EQ(normalise_target(bytes.data(), static_cast<std::uint32_t>(bytes.size()), PathMode::decode), 0U) << head;
    EXPECT_EQ(bytes, head);
  }
}

}  // namespace
}  // namespace heddle::http
