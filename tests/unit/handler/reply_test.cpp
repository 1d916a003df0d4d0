#include "runtime/handler/reply.h"

#include <gtest/gtest.h>

#include <string>

namespace heddle::handler {
namespace {

std::string head_of(const Reply& reply, bool close, bool http10) {
  std::array<char, 2048> space;
  return {space.data(), write_reply_head(space, reply, close, http10)};
}

TEST(Reply, Heads) {
  EXPECT_EQ(head_of({403, "access a/default", "no\n", {}, false}, false, false),
            "HTTP/1.1 403 Forbidden\r\nx-heddle-rule: access a/default\r\ncontent-type: text/plain; "
            "charset=utf-8\r\n"
            "content-length: 3\r\n\r\n");
  EXPECT_EQ(head_of({405, "mesh/malformed", "", "GET", true}, true, false),
            "HTTP/1.1 405 Method Not Allowed\r\nx-heddle-rule: mesh/malformed\r\nallow: "
            "GET\r\ncontent-length: 0\r\n"
            "connection: close\r\n\r\n");
  EXPECT_EQ(head_of({204, "route a/1", "", {}, false}, false, true),
            "HTTP/1.1 204 No Content\r\nx-heddle-rule: route a/1\r\nconnection: keep-alive\r\n\r\n");
}

TEST(Reply, TypeAndLocation) {
  Reply reply{200, "route a/1", "{}", {}, false};
  reply.type = "application/json";
  EXPECT_EQ(head_of(reply, false, false),
            "HTTP/1.1 200 OK\r\nx-heddle-rule: route a/1\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n");
  Reply redirect{308, "route a/2", "", {}, false};
  redirect.location = "https://h/";
  EXPECT_EQ(head_of(redirect, false, false),
            "HTTP/1.1 308 Permanent Redirect\r\nx-heddle-rule: route a/2\r\nlocation: https://h/\r\ncontent-length: 0\r\n\r\n");
}

TEST(Reply, DenialSaysWhichBlockToWrite) {
  ShortText text;
  describe_denial(text, "access payments.reviews/default");
  EXPECT_NE(text.view().find("denied by `access payments.reviews/default`"), std::string_view::npos);
  EXPECT_NE(text.view().find("  access payments.reviews {\n    allow from"), std::string_view::npos);
}

TEST(Reply, DenialByADenyDoesNotAdviseAnAllow) {
  ShortText text;
  describe_denial(text, "access reviews/no-debug");
  EXPECT_NE(text.view().find("denied by `access reviews/no-debug`"), std::string_view::npos);
  EXPECT_EQ(text.view().find("allow"), std::string_view::npos);
}

TEST(Reply, ALabelCannotBreakTheLine) {
  EXPECT_EQ(head_of({503, "route a/x\r\nset-cookie: y\x80\x7f", "", {}, false}, false, false),
            "HTTP/1.1 503 Service Unavailable\r\nx-heddle-rule: route a/x??set-cookie: "
            "y??\r\ncontent-length: 0\r\n\r\n");
}

TEST(Reply, OutsideIsTheMeshs) {
  ShortText text;
  describe_denial(text, "mesh/outside");
  EXPECT_NE(text.view().find("`outside deny`"), std::string_view::npos);
}

TEST(Reply, LongNamesAreCut) {
  ShortText text;
  describe_denial(text, "access " + std::string(5000, 'a') + "/default");
  EXPECT_LE(text.view().size(), 2048U);
  EXPECT_LE(head_of({403, std::string(5000, 'a'), "x", {}, false}, true, false).size(), 1024U);
}

}  // namespace
}  // namespace heddle::handler
