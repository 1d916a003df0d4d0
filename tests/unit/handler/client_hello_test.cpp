#include "runtime/handler/tls/client_hello.h"

#include <gtest/gtest.h>

#include "tests/unit/hellos.h"

namespace heddle::tls {
namespace {

using State = ClientHello::State;
using namespace hellos;

const HelloReader& reader() {
  static const Result<HelloReader> made = HelloReader::make();
  return made.value();
}

struct Read {
  State state = State::incomplete;
  std::string name;
};

/// In pieces of that size.
Read read(const std::string& bytes, std::size_t piece = SIZE_MAX) {
  ClientHello hello(reader());
  Read result;
  for (std::size_t at = 0; at < bytes.size() && result.state == State::incomplete; at += std::min(piece, bytes.size() - at))
    result.state = hello.add(std::string_view(bytes).substr(at, piece));
  result.name = hello.server_name();
  return result;
}

TEST(ClientHello, HasAName) {
  const Read found = read(hello("www.A.example"));
  EXPECT_EQ(found.state, State::complete);
  EXPECT_EQ(found.name, "www.A.example") << "as it came";
}

TEST(ClientHello, HasNone) {
  const Read found = read(records(message("")));
  EXPECT_EQ(found.state, State::complete);
  EXPECT_EQ(found.name, "");
}

TEST(ClientHello, IsTheSameInAnyPieces) {
  const std::string whole = hello("a.example");
  for (std::size_t first = 1; first < whole.size(); ++first) {
    ClientHello cut(reader());
    EXPECT_EQ(cut.add(whole.substr(0, first)), State::incomplete) << first;
    EXPECT_EQ(cut.add(whole.substr(first)), State::complete) << first;
    EXPECT_EQ(cut.server_name(), "a.example");
  }
  for (const std::size_t longest : {1U, 3U, 4U, 5U, 50U}) {
    const std::string in_records = records(message(server_names({"a.example"})), longest);
    for (const std::size_t piece : {1U, 2U, 7U, 1000U}) {
      const Read found = read(in_records, piece);
      EXPECT_EQ(found.state, State::complete) << longest << " " << piece;
      EXPECT_EQ(found.name, "a.example");
    }
  }
}

TEST(ClientHello, EndsWhereItEnds) {
  const Read found = read(hello("a.example") + records("early data", 16384, 23) + "and more");
  EXPECT_EQ(found.state, State::complete);
  EXPECT_EQ(found.name, "a.example");
}

TEST(ClientHello, HasABound) {
  const std::string extensions = server_names({"a.example"});
  for (const std::size_t longest : {16384U, 1000U, 264U}) {
    const std::string most = records(message(extensions, 16384 + 4), longest);
    ASSERT_LE(most.size(), hello_max);
    for (const std::size_t piece : {1U, 4096U, 100'000U}) EXPECT_EQ(read(most, piece).state, State::complete) << longest;
  }
  const std::string exact = records(message(extensions, hello_max - 2 * 5));
  ASSERT_EQ(exact.size(), hello_max);
  EXPECT_EQ(read(exact).state, State::complete);
  const std::string longer = records(message(extensions, hello_max - 2 * 5 + 1));
  for (const std::size_t piece : {1U, 4096U, 100'000U}) EXPECT_EQ(read(longer, piece).state, State::malformed) << piece;
  EXPECT_EQ(read(longer.substr(0, hello_max)).state, State::malformed) << "what is still to come is too much";
  EXPECT_EQ(read(longer.substr(0, hello_max - 1)).state, State::incomplete);
}

TEST(ClientHello, IsNothingElse) {
  const std::string right = message(server_names({"a.example"}));
  const std::string alert = records(std::string("\1\0", 2), 16384, 21);
  for (const std::string& bytes : {
           std::string("G"), std::string("\x80"), std::string(1, '\0'),
           alert + records(right),
           records(right.substr(0, 30)) + alert + records(right.substr(30)),
           std::string("\x16\3\1\0\0", 5) + records(right),
           std::string("\x16\3\1\x40\1", 5) + std::string(16385, 'x'),
           std::string("\x16\4\1", 3) + records(right).substr(3),
           records("\2" + right.substr(1)),
           records("\1" + sized(right.substr(4, right.size() - 7), 3)),
           records(message(server_names({"a.example"}) + server_names({"b.example"}))),
       }) {
    EXPECT_EQ(read(bytes).state, State::malformed) << testing::PrintToString(bytes.substr(0, 80));
    EXPECT_EQ(read(bytes, 1).state, State::malformed) << testing::PrintToString(bytes.substr(0, 80));
  }
}

TEST(ClientHello, AsksForOneName) {
  for (const std::string& first : {extension(0, ""), extension(0, number(0, 2)), server_names({}), server_names({""}),
                                   server_names({"a.example", "b.example"}), server_names({"a.example", "a.example"}),
                                   extension(0, sized("\1" + sized("a.example", 2), 2)),
                                   extension(0, sized(std::string(1, '\0') + sized("a.example", 2), 2) + "x"),
                                   extension(0, sized(std::string(1, '\0') + sized("a.example", 2) + "x", 2)),
                                   extension(0, sized(std::string(1, '\0') + number(10, 2) + "a.example", 2))})
    EXPECT_EQ(read(records(message(first))).state, State::malformed) << testing::PrintToString(first);
}

TEST(ServerName, IsADnsName) {
  const std::string label(63, 'a');
  const std::string long_name = label + "." + label + "." + label + "." + std::string(61, 'b');
  ASSERT_EQ(long_name.size(), 253u);
  for (const std::string& name : {std::string("a"), std::string("a.example"), std::string("A-1.x_y.EXAMPLE"), std::string("xn--caf-dma.example"),
                                  std::string("1.example"), std::string("10.0.0.1a"), std::string("-"), label + ".b", long_name}) {
    EXPECT_TRUE(is_server_name(name)) << name;
    EXPECT_EQ(read(hello(name)).state, State::complete) << name;
  }
  for (const std::string& name : {std::string(""), std::string("."), std::string("a."), std::string(".a"), std::string("a..b"), std::string("10.0.0.1"),
                                  std::string("a.1"), std::string("::1"), std::string("[::1]"), std::string("a:443"), std::string("*.a"),
                                  std::string("a b"), std::string("a\0b", 3), std::string("caf\xc3\xa9"), label + "a.b", long_name + "b", long_name + "."}) {
    EXPECT_FALSE(is_server_name(name)) << testing::PrintToString(name);
    EXPECT_EQ(read(hello(name)).state, State::malformed) << testing::PrintToString(name);
  }
}

}  // namespace
}  // namespace heddle::tls
