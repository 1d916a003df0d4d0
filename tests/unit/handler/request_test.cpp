#include "runtime/handler/http/request.h"

#include <gtest/gtest.h>

#include <string>

#include "runtime/handler/http/field.h"

namespace heddle::http {
namespace {

Request parse(const std::string& head) {
  return parse_request(head);
}

std::string with_host(const std::string& rest) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + rest + "\r\n";
}

TEST(Request, PlainGet) {
  const Request request = parse("GET /a?b=c HTTP/1.1\r\nHost: reviews:9080\r\nAccept: */*\r\n\r\n");
  EXPECT_EQ(request.form, HD_FORM_OK);
  EXPECT_EQ(request.framing, Framing::none);
  EXPECT_EQ(request.length, 56U);
  EXPECT_TRUE(request.keep_alive);
  EXPECT_FALSE(request.hop_by_hop);
  EXPECT_FALSE(request.head_method);
}

TEST(Request, Framings) {
  EXPECT_EQ(parse(with_host("Content-Length: 5\r\n")).framing, Framing::length);
  EXPECT_EQ(parse(with_host("Content-Length: 5\r\n")).content_length, 5U);
  EXPECT_EQ(parse(with_host("content-length: 0\r\n")).framing, Framing::none);
  EXPECT_EQ(parse(with_host("Transfer-Encoding: Chunked\r\n")).framing, Framing::chunked);
  EXPECT_EQ(parse(with_host("Content-Length: 999999999999999999\r\n")).content_length, 999999999999999999U);
}

TEST(Request, KeepAlive) {
  EXPECT_FALSE(parse(with_host("Connection: close\r\n")).keep_alive);
  EXPECT_FALSE(parse(with_host("Connection: foo, Close\r\n")).keep_alive);
  EXPECT_FALSE(parse("GET / HTTP/1.0\r\n\r\n").keep_alive);
  EXPECT_TRUE(parse("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").keep_alive);
  EXPECT_FALSE(parse("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n").keep_alive);
  EXPECT_TRUE(parse(with_host("Connection: x\r\n")).hop_by_hop);
  for (const char* name : {"Keep-Alive", "Proxy-Connection", "TE", "Upgrade", "HTTP2-Settings"}) {
    EXPECT_TRUE(parse(with_host(std::string(name) + ": x\r\n")).hop_by_hop) << name;
  }
}

TEST(Request, HeadMethod) {
  EXPECT_TRUE(parse("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").head_method);
  EXPECT_FALSE(parse("HEADS / HTTP/1.1\r\nHost: a\r\n\r\n").head_method);
}

TEST(Request, AbsoluteForm) {
  const Request request = parse("GET HTTP://A:80/x HTTP/1.1\r\nHost: a:80\r\n\r\n");
  EXPECT_EQ(request.form, HD_FORM_OK);
  EXPECT_EQ(request.prefix_begin, 4U);
  EXPECT_EQ(request.prefix_end, 15U);
  EXPECT_EQ(parse("GET http://a HTTP/1.1\r\nHost: a\r\n\r\n").form, HD_FORM_OK);
  EXPECT_EQ(parse("GET http://a?q HTTP/1.1\r\nHost: a\r\n\r\n").form, HD_FORM_OK);
  EXPECT_EQ(parse("GET http://a/ HTTP/1.0\r\nHost: a\r\n\r\n").form, HD_FORM_OK);
}

struct Case {
  const char* what;
  std::string head;
  hd_form form;
};

class Forms : public testing::TestWithParam<Case> {};

TEST_P(Forms, IsSaid) {
  EXPECT_EQ(parse(GetParam().head).form, GetParam().form) << GetParam().what;
}

std::string get(const std::string& target) {
  return "GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n";
}
std::string host(const std::string& value) {
  return "GET / HTTP/1.1\r\nHost: " + value + "\r\n\r\n";
}

INSTANTIATE_TEST_SUITE_P(
    Legal, Forms,
    testing::Values(Case{"methods with a hyphen", "M-SEARCH / HTTP/1.1\r\nHost: a\r\n\r\n", HD_FORM_OK},
                    Case{"1.0 without Host", "GET / HTTP/1.0\r\n\r\n", HD_FORM_OK},
                    Case{"an empty value", with_host("X:\r\n"), HD_FORM_OK},
                    Case{"obs-text", with_host("X: \xff\x80\r\n"), HD_FORM_OK},
                    Case{"blanks around a value", with_host("X: \t a b\t \r\n"), HD_FORM_OK},
                    Case{"every tchar", with_host("!#$%&'*+-.^_`|~09azAZ: x\r\n"), HD_FORM_OK},
                    Case{"host with port", host("a.b-c_d:12345"), HD_FORM_OK},
                    Case{"IPv6 host", host("[fd00::1]:80"), HD_FORM_OK},
                    Case{"IPv4 host", host("10.0.0.1"), HD_FORM_OK},
                    Case{"longest target", get("/" + std::string(16383, 'a')), HD_FORM_OK},
                    Case{"Connection names something", with_host("Connection: x-y, close\r\n"), HD_FORM_OK},
                    Case{"GET with a body", with_host("Content-Length: 3\r\n"), HD_FORM_OK},
                    Case{"odd but visible", get("/\"<>[]^{|}`,:@!$&'()*+,="), HD_FORM_OK}));

INSTANTIATE_TEST_SUITE_P(
    Refused, Forms,
    testing::Values(Case{"CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", HD_FORM_CONNECT},
                    Case{"CONNECT with rubbish", "CONNECT \x01\r\n\r\n", HD_FORM_CONNECT},
                    Case{"long target", get("/" + std::string(16384, 'a')), HD_FORM_TARGET_TOO_LONG},
                    Case{"long target of a malformed head", "get /" + std::string(16384, 'a') + "\n\n",
                         HD_FORM_TARGET_TOO_LONG}));

INSTANTIATE_TEST_SUITE_P(
    MalformedLine, Forms,
    testing::Values(Case{"OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", HD_FORM_MALFORMED},
                    Case{"lower case method", "get / HTTP/1.1\r\nHost: a\r\n\r\n", HD_FORM_MALFORMED},
                    Case{"hyphen first", "-GET / HTTP/1.1\r\nHost: a\r\n\r\n", HD_FORM_MALFORMED},
                    Case{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\n", HD_FORM_MALFORMED},
                    Case{"HTTP/2", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", HD_FORM_MALFORMED},
                    Case{"HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", HD_FORM_MALFORMED},
                    Case{"lower case http", "GET / http/1.1\r\nHost: a\r\n\r\n", HD_FORM_MALFORMED},
                    Case{"HTTP/0.9", "GET /\r\n\r\n", HD_FORM_MALFORMED},
                    Case{"two spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", HD_FORM_MALFORMED},
                    Case{"space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", HD_FORM_MALFORMED},
                    Case{"blank behind the version", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", HD_FORM_MALFORMED},
                    Case{"tab as separator", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", HD_FORM_MALFORMED},
                    Case{"leading empty line", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", HD_FORM_MALFORMED},
                    Case{"only an empty line", "\r\n\r\n", HD_FORM_MALFORMED},
                    Case{"no leading slash", get("a"), HD_FORM_MALFORMED},
                    Case{"https", get("https://a/"), HD_FORM_MALFORMED},
                    Case{"high byte in the target", get("/\x80"), HD_FORM_MALFORMED},
                    Case{"DEL in the target", get("/\x7f"), HD_FORM_MALFORMED},
                    Case{"NUL in the target", get(std::string("/\0", 2)), HD_FORM_MALFORMED},
                    Case{"absolute without authority", get("http:///x"), HD_FORM_MALFORMED},
                    Case{"userinfo", "GET http://u@a/ HTTP/1.1\r\nHost: u@a\r\n\r\n", HD_FORM_MALFORMED},
                    Case{"authority is not Host", get("http://b/"), HD_FORM_MALFORMED},
                    Case{"absolute 1.0 without Host", "GET http://a/ HTTP/1.0\r\n\r\n", HD_FORM_MALFORMED},
                    Case{"fragment in the authority", get("http://a#/"), HD_FORM_MALFORMED}));

INSTANTIATE_TEST_SUITE_P(
    MalformedFields, Forms,
    testing::Values(
        Case{"no Host", "GET / HTTP/1.1\r\nAccept: x\r\n\r\n", HD_FORM_MALFORMED},
        Case{"no fields", "GET / HTTP/1.1\r\n\r\n", HD_FORM_MALFORMED},
        Case{"two Hosts", with_host("Host: a\r\n"), HD_FORM_MALFORMED},
        Case{"two Hosts in 1.0", "GET / HTTP/1.0\r\nHost: a\r\nhost: a\r\n\r\n", HD_FORM_MALFORMED},
        Case{"bare LF", "GET / HTTP/1.1\nHost: a\r\n\r\n", HD_FORM_MALFORMED},
        Case{"bare LF behind a field", "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", HD_FORM_MALFORMED},
        Case{"only LFs", "GET / HTTP/1.1\nHost: a\n\n", HD_FORM_MALFORMED},
        Case{"LF as empty line", "GET / HTTP/1.1\r\nHost: a\r\n\n", HD_FORM_MALFORMED},
        Case{"bare CR", with_host("X: a\rb\r\n"), HD_FORM_MALFORMED},
        Case{"obs-fold", with_host("X: a\r\n b\r\n"), HD_FORM_MALFORMED},
        Case{"blank before the colon", with_host("X : a\r\n"), HD_FORM_MALFORMED},
        Case{"blank before a name", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", HD_FORM_MALFORMED},
        Case{"no colon", with_host("X\r\n"), HD_FORM_MALFORMED},
        Case{"no name", with_host(": x\r\n"), HD_FORM_MALFORMED},
        Case{"odd name", with_host("X(: x\r\n"), HD_FORM_MALFORMED},
        Case{"NUL in a value", with_host(std::string("X: \0\r\n", 6)), HD_FORM_MALFORMED},
        Case{"CTL in a value", with_host("X: \x1b\r\n"), HD_FORM_MALFORMED},
        Case{"DEL in a value", with_host("X: \x7f\r\n"), HD_FORM_MALFORMED}));

INSTANTIATE_TEST_SUITE_P(
    Ambiguous, Forms,
    testing::Values(
        Case{"both lengths", with_host("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"),
             HD_FORM_MALFORMED},
        Case{"both lengths, turned", with_host("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n"),
             HD_FORM_MALFORMED},
        Case{"two lengths", with_host("Content-Length: 3\r\nContent-Length: 3\r\n"), HD_FORM_MALFORMED},
        Case{"a list of lengths", with_host("Content-Length: 3, 3\r\n"), HD_FORM_MALFORMED},
        Case{"signed length", with_host("Content-Length: +3\r\n"), HD_FORM_MALFORMED},
        Case{"empty length", with_host("Content-Length:\r\n"), HD_FORM_MALFORMED},
        Case{"huge length", with_host("Content-Length: 1000000000000000000\r\n"), HD_FORM_MALFORMED},
        Case{"two encodings", with_host("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
             HD_FORM_MALFORMED},
        Case{"a list of encodings", with_host("Transfer-Encoding: gzip, chunked\r\n"), HD_FORM_MALFORMED},
        Case{"another encoding", with_host("Transfer-Encoding: xchunked\r\n"), HD_FORM_MALFORMED},
        Case{"identity", with_host("Transfer-Encoding: identity\r\n"), HD_FORM_MALFORMED},
        Case{"vertical tab",
             with_host("Transfer-Encoding: \x0b"
                       "chunked\r\n"),
             HD_FORM_MALFORMED},
        Case{"chunked 1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", HD_FORM_MALFORMED},
        Case{"Connection names Host", with_host("Connection: close, hOst\r\n"), HD_FORM_MALFORMED},
        Case{"Connection names a length", with_host("Connection: content-length\r\n"), HD_FORM_MALFORMED},
        Case{"Connection names the encoding", with_host("Connection:,, transfer-encoding\r\n"),
             HD_FORM_MALFORMED}));

INSTANTIATE_TEST_SUITE_P(Hosts, Forms,
                         testing::Values(Case{"empty", host(""), HD_FORM_MALFORMED},
                                         Case{"userinfo", host("u@a"), HD_FORM_MALFORMED},
                                         Case{"final dot", host("a."), HD_FORM_MALFORMED},
                                         Case{"leading dot", host(".a"), HD_FORM_MALFORMED},
                                         Case{"two dots", host("a..b"), HD_FORM_MALFORMED},
                                         Case{"escape", host("a%41"), HD_FORM_MALFORMED},
                                         Case{"list", host("a,b"), HD_FORM_MALFORMED},
                                         Case{"blank", host("a b"), HD_FORM_MALFORMED},
                                         Case{"empty port", host("a:"), HD_FORM_MALFORMED},
                                         Case{"six digits", host("a:123456"), HD_FORM_MALFORMED},
                                         Case{"port is no number", host("a:8x"), HD_FORM_MALFORMED},
                                         Case{"open bracket", host("[::1"), HD_FORM_MALFORMED},
                                         Case{"no address", host("[]"), HD_FORM_MALFORMED},
                                         Case{"zone", host("[fe80::1%eth0]"), HD_FORM_MALFORMED},
                                         Case{"path", host("a/b"), HD_FORM_MALFORMED}));

TEST(Request, ManyElementsOfConnection) {
  std::string list = "Connection: a";
  for (std::uint32_t i = 1; i < connection_elements_max; ++i) list += ",a";
  EXPECT_EQ(parse(with_host(list + "\r\n")).form, HD_FORM_OK);
  EXPECT_EQ(parse(with_host(list + ",a\r\n")).form, HD_FORM_MALFORMED);
}

/// Whatever the pieces, the head ends at the same place.
TEST(HeadEnd, EverySplit) {
  for (const std::string& bytes :
       {std::string("GET / HTTP/1.1\r\nHost: a\r\n\r\nbody\r\n\r\n"), std::string("a\n\nb"),
        std::string("a\r\n\nb"), std::string("a\n\r\nb"), std::string("\r\n\r\n")}) {
    const std::optional<std::size_t> whole = HeadEnd().find(bytes);
    ASSERT_TRUE(whole);
    for (std::size_t first = 0; first <= bytes.size(); ++first) {
      for (std::size_t second = first; second <= bytes.size(); ++second) {
        HeadEnd end;
        std::optional<std::size_t> found = end.find(std::string_view(bytes).substr(0, first));
        if (!found) found = end.find(std::string_view(bytes).substr(0, second));
        if (!found) found = end.find(bytes);
        ASSERT_EQ(found, whole) << bytes << " at " << first << ", " << second;
      }
    }
  }
  EXPECT_EQ(HeadEnd().find("a\n\nb"), 3U);
  EXPECT_EQ(HeadEnd().find("a\r\n\nb"), 4U);
  EXPECT_EQ(HeadEnd().find("a\n\r\nb"), 4U);
  EXPECT_EQ(HeadEnd().find("a\r\n\r\nb"), 5U);
  EXPECT_FALSE(HeadEnd().find("a\r\n\rb"));
  EXPECT_FALSE(HeadEnd().find("a\r\rb"));
}

}  // namespace
}  // namespace heddle::http
