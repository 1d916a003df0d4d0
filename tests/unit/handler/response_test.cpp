#include "runtime/handler/http/response.h"

#include <gtest/gtest.h>

#include <string>

namespace heddle::http {
namespace {

std::optional<Response> ok(const std::string& fields) {
  return parse_response("HTTP/1.1 200 OK\r\n" + fields + "\r\n", false);
}

TEST(Response, Framings) {
  EXPECT_EQ(ok("Content-Length: 5\r\n")->framing, Framing::length);
  EXPECT_EQ(ok("Content-Length: 5\r\n")->content_length, 5U);
  EXPECT_EQ(ok("Content-Length: 0\r\n")->framing, Framing::none);
  EXPECT_EQ(ok("Transfer-Encoding: chunked\r\n")->framing, Framing::chunked);
  EXPECT_EQ(ok("")->framing, Framing::until_close);
}

TEST(Response, WithoutBody) {
  EXPECT_EQ(parse_response("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true)->framing, Framing::none);
  EXPECT_EQ(parse_response("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", true)->framing,
            Framing::none);
  EXPECT_EQ(parse_response("HTTP/1.1 200 OK\r\n\r\n", true)->framing, Framing::none);
  EXPECT_EQ(parse_response("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", false)->framing,
            Framing::none);
  EXPECT_EQ(parse_response("HTTP/1.1 204 No Content\r\n\r\n", false)->framing, Framing::none);
  EXPECT_TRUE(parse_response("HTTP/1.1 204 No Content\r\n\r\n", false)->forbids_length);
  EXPECT_FALSE(parse_response("HTTP/1.1 304 Not Modified\r\n\r\n", false)->forbids_length);
  const std::optional<Response> interim = parse_response("HTTP/1.1 100 Continue\r\n\r\n", false);
  EXPECT_TRUE(interim->interim);
  EXPECT_TRUE(interim->forbids_length);
}

TEST(Response, KeepAlive) {
  EXPECT_TRUE(ok("Content-Length: 5\r\n")->keep_alive);
  EXPECT_FALSE(ok("Connection: Close\r\n")->keep_alive);
  EXPECT_FALSE(parse_response("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", false)->keep_alive);
  EXPECT_TRUE(parse_response("HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n", false)
                  ->keep_alive);
}

TEST(Response, Rewrite) {
  EXPECT_FALSE(ok("Content-Length: 5\r\nServer: x\r\n")->rewrite);
  for (const char* name :
       {"Connection", "Keep-Alive", "Upgrade", "X-Heddle-Rule", "TE", "Proxy-Connection"}) {
    EXPECT_TRUE(ok(std::string(name) + ": x\r\n")->rewrite) << name;
  }
}

TEST(Response, StatusLine) {
  EXPECT_EQ(parse_response("HTTP/1.1 404 \r\n\r\n", false)->status, 404);
  EXPECT_EQ(parse_response("HTTP/1.1 404\r\n\r\n", false)->status, 404);
  EXPECT_EQ(parse_response("HTTP/1.0 599 What Ever\r\n\r\n", false)->status, 599);
}

TEST(Response, Malformed) {
  for (const std::string& head :
       {std::string("HTTP/2 200 OK\r\n\r\n"), std::string("HTTP/1.2 200 OK\r\n\r\n"),
        std::string("ICY 200 OK\r\n\r\n"), std::string("HTTP/1.1 20 OK\r\n\r\n"),
        std::string("HTTP/1.1 2000 OK\r\n\r\n"), std::string("HTTP/1.1 099 OK\r\n\r\n"),
        std::string("HTTP/1.1 600 OK\r\n\r\n"), std::string("HTTP/1.1  200 OK\r\n\r\n"),
        std::string("HTTP/1.1 200 OK\n\n"), std::string("HTTP/1.1 200 O\x01K\r\n\r\n"),
        std::string("\r\n\r\n"), std::string("HTTP/1.1 \r\n\r\n")}) {
    EXPECT_FALSE(parse_response(head, false)) << head;
  }
}

TEST(Response, Ambiguous) {
  for (const char* fields :
       {"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5, 5\r\n", "Content-Length: x\r\n", "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: gzip\r\n", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "X : y\r\n", "X: y\r\n z\r\n", "X: y\n", "Connection: content-length\r\n", "X\r\n"}) {
    EXPECT_FALSE(ok(fields)) << fields;
  }
  EXPECT_FALSE(parse_response("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false));
}

}  // namespace
}  // namespace heddle::http
