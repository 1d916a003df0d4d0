#include "runtime/handler/http/rewrite.h"

#include <gtest/gtest.h>

#include <string>

namespace heddle::http {
namespace {

std::string rewritten(const std::string& head, std::string_view add = {}, FieldSet drop = hop_by_hop_fields) {
  std::string space = std::string(64, '#') + head + "BODY";
  char* const at = space.data() + 64;
  char* const begin = rewrite_head(at, static_cast<std::uint32_t>(head.size()), drop, add);
  EXPECT_EQ(std::string(at + head.size(), 4), "BODY");
  return {begin, at + head.size()};
}

TEST(Rewrite, NothingToDo) {
  const std::string head = "GET / HTTP/1.1\r\nHost: a\r\nX:y\r\n\r\n";
  EXPECT_EQ(rewritten(head), head);
}

TEST(Rewrite, DropsWhatEndsHere) {
  EXPECT_EQ(
      rewritten("GET / HTTP/1.1\r\nConnection: keep-alive\r\nHost: a\r\nKEEP-ALIVE: 5\r\nTE: trailers\r\n"
                "Proxy-Connection: x\r\nX: y\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n\r\n"),
      "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n");
}

TEST(Rewrite, DropsWhatConnectionNames) {
  EXPECT_EQ(
      rewritten("GET / HTTP/1.1\r\nfoo: 1\r\nHost: a\r\nConnection: Foo, close\r\nX: y\r\nConnection: bar\r\n"
                "BAR: 2\r\nfoobar: 3\r\n\r\n"),
      "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\nfoobar: 3\r\n\r\n");
}

/// `Connection: close` does not make a field called `close` hop-by-hop.
TEST(Rewrite, OptionsAreNoNames) {
  EXPECT_EQ(rewritten("GET / HTTP/1.1\r\nClose: 1\r\nConnection: close\r\n\r\n"),
            "GET / HTTP/1.1\r\nClose: 1\r\n\r\n");
}

TEST(Rewrite, Adds) {
  EXPECT_EQ(rewritten("HTTP/1.1 200 OK\r\nX: y\r\n\r\n", "connection: close\r\n"),
            "HTTP/1.1 200 OK\r\nX: y\r\nconnection: close\r\n\r\n");
  EXPECT_EQ(rewritten("HTTP/1.1 200 OK\r\nX: y\r\nConnection: keep-alive\r\nX-Heddle-Rule: fake\r\n\r\n",
                      "connection: close\r\n", hop_by_hop_fields.with({FieldKind::rule})),
            "HTTP/1.1 200 OK\r\nX: y\r\nconnection: close\r\n\r\n");
}

std::string origin_form(std::string head) {
  const Request request = parse_request(head);
  EXPECT_EQ(request.form, HD_FORM_OK) << head;
  return head.substr(make_origin_form(head.data(), request));
}

TEST(OriginForm, OfAbsoluteForm) {
  const std::string rest = " HTTP/1.1\r\nHost: a:80\r\n\r\n";
  EXPECT_EQ(origin_form("GET http://a:80/x?y" + rest), "GET /x?y" + rest);
  EXPECT_EQ(origin_form("GET http://a:80" + rest), "GET /" + rest);
  EXPECT_EQ(origin_form("GET hTTp://A:80?x" + rest), "GET /?x" + rest);
  EXPECT_EQ(origin_form("GET /http://a:80" + rest), "GET /http://a:80" + rest);
}

}  // namespace
}  // namespace heddle::http
