#include "runtime/handler/http/location.h"

#include <gtest/gtest.h>

#include <array>

#include "runtime/handler/http/request.h"
#include "runtime/handler/http/rewrite.h"
#include "tests/unit/locations.h"

namespace heddle::http {
namespace {

constexpr std::array<std::uint8_t, 16> address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 96, 0, 12};

/// As the handler has it: in origin-form.
std::string received(std::string head) {
  const Request request = parse_request(head);
  EXPECT_EQ(request.form, HD_FORM_OK) << head;
  head.erase(0, make_origin_form(head.data(), request));
  return head;
}

std::string located(const Relocation& relocation, const std::string& head) {
  return make_location(relocation, received(head), {address, 9080}).value_or("none");
}

TEST(Location, OfEveryKindOfRequest) {
  static_assert(std::size(location_rows) >= 50);
  for (const LocationRow& row : location_rows) {
    const std::string host = row.asked == nullptr ? "" : "hOST: \t" + std::string(row.asked) + " \r\n";
    const std::string head =
        "GET " + std::string(row.target) + (row.asked == nullptr ? " HTTP/1.0\r\n" : " HTTP/1.1\r\nx-host: no\r\n") + host + "\r\n";
    EXPECT_EQ(located({row.https, row.host, row.port, row.path, row.prefix}, head), row.location) << row.target;
  }
}

TEST(Location, OfAnAddressOfIpv6) {
  const std::array<std::uint8_t, 16> six = {0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x12};
  const std::string head = "GET /a HTTP/1.0\r\n\r\n";
  EXPECT_EQ(make_location({.path = "/x"}, head, {six, 80}), "http://[fd00::12]/x");
  EXPECT_EQ(make_location({.path = "/x"}, head, {six, 81}), "http://[fd00::12]:81/x");
}

TEST(Location, OfALongRequest) {
  const std::string path = "/" + std::string(16'000, 'p'), host(40'000, 'h'), to = "/" + std::string(16'000, 't');
  EXPECT_EQ(located({.path = to, .prefix = "/"}, "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n"),
            "http://" + host + to + path);
}

TEST(Location, OfWhatTheRedirectIsNotFor) {
  EXPECT_EQ(located({.path = "/b", .prefix = "/a"}, "GET /ab HTTP/1.1\r\nHost: h\r\n\r\n"), "none");
  EXPECT_EQ(located({.path = "/b", .prefix = "/a/c"}, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"), "none");
}

TEST(Location, IsOneLineWhateverItIsMadeOf) {
  const std::string head = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
  for (const char* bad : {"/x\r\nset-cookie: a=b", "/x y", "/\xc3\xa9", "/\x7f"}) {
    EXPECT_FALSE(make_location({.path = bad}, head, {address, 80})) << bad;
    EXPECT_FALSE(make_location({.host = bad}, head, {address, 80})) << bad;
  }
  EXPECT_FALSE(make_location({.path = "/x"}, "GET /a HTTP/1.1\r\nHost: h\xc3\xa9\r\n\r\n", {address, 80}));
}

}  // namespace
}  // namespace heddle::http
