#include "compiler/eval/head.h"

#include <gtest/gtest.h>

#include "compiler/eval/framing.h"
#include "tests/unit/normal_forms.h"

namespace heddle::eval {
namespace {

/// What becomes of a head: empty if it is fine, else `<status> <rule> @<offset>`.
std::string fate(const std::string& raw, const TestedNames& tested = {}) {
  Refusal refusal;
  auto head = read_head(raw, {}, refusal);
  if (head) {
    auto wrong = check_framing(*head, tested);
    if (!wrong) return "";
    refusal = *wrong;
    return std::to_string(refusal.status) + " " + refusal.rule;
  }
  return std::to_string(refusal.status) + " " + refusal.rule + " @" + std::to_string(refusal.offset);
}

std::string with_target(const std::string& target) {
  return "GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n";
}

std::string with_lines(const std::string& lines) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + lines + "\r\n";
}

Head read(const std::string& raw) {
  Refusal refusal;
  auto head = read_head(raw, {}, refusal);
  EXPECT_TRUE(head) << refusal.why;
  EXPECT_FALSE(check_framing(*head, {}));
  return *head;
}

TEST(Head, IsReadIntoItsParts) {
  const Head head =
      read("POST /a/b?x=1&y HTTP/1.1\r\nHost: Shop.Example:8080\r\nX-A:  one two\t \r\nEmpty:\r\n\r\nbody");
  EXPECT_EQ(head.method, "POST");
  EXPECT_EQ(head.path, "/a/b");
  EXPECT_EQ(head.query, "x=1&y");
  EXPECT_EQ(head.host, "shop.example");
  EXPECT_FALSE(head.http_1_0);
  ASSERT_EQ(head.fields.size(), 3u);
  EXPECT_EQ(head.fields[1].name, "x-a");
  EXPECT_EQ(head.fields[1].value, "one two");
  EXPECT_EQ(head.fields[2].name, "empty");
  EXPECT_EQ(head.fields[2].value, "");
}

TEST(Head, KeepsBytesAbove127InValues) {
  EXPECT_EQ(read(with_lines("x: \xff\x80\r\n")).fields.back().value, "\xff\x80");
}

TEST(Head, MethodIsCapitalLetters) {
  EXPECT_EQ(fate("M-SEARCH / HTTP/1.1\r\nHost: a\r\n\r\n"), "");
  EXPECT_EQ(fate("get / HTTP/1.1\r\nHost: a\r\n\r\n"), "400 mesh/malformed @0");
  EXPECT_EQ(fate("-GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "400 mesh/malformed @0");
  EXPECT_EQ(fate("GEt / HTTP/1.1\r\nHost: a\r\n\r\n"), "400 mesh/malformed @2");
  EXPECT_EQ(fate("G3T / HTTP/1.1\r\nHost: a\r\n\r\n"), "400 mesh/malformed @1");
  EXPECT_EQ(fate("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"), "400 mesh/malformed @3");
  EXPECT_EQ(fate("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), "400 mesh/malformed @0");
}

TEST(Head, ConnectIsNotServed) {
  EXPECT_EQ(fate("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n"), "405 mesh/malformed @0");
  EXPECT_EQ(fate("CONNECT nonsense\n\n"), "405 mesh/malformed @0");
  EXPECT_EQ(fate("CONNECTS / HTTP/1.1\r\nHost: a\r\n\r\n"), "");
}

TEST(Head, TargetBeginsWithSlashOrIsAbsolute) {
  EXPECT_EQ(fate(with_target("*")), "400 mesh/malformed @4");
  EXPECT_EQ(fate("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), "400 mesh/malformed @8");
  EXPECT_EQ(fate(with_target("a:80")), "400 mesh/malformed @4");
  EXPECT_EQ(fate(with_target("https://a/")), "400 mesh/malformed @8");
  EXPECT_EQ(fate(with_target("")), "400 mesh/malformed @4");
  EXPECT_EQ(fate("GET  / HTTP/1.1\r\nHost: a\r\n\r\n"), "400 mesh/malformed @4");
}

TEST(Head, AbsoluteFormBecomesOriginForm) {
  EXPECT_EQ(read(with_target("http://a/b?c")).path, "/b");
  EXPECT_EQ(read(with_target("http://a")).path, "/");
  EXPECT_EQ(read(with_target("http://a?q")).path, "/");
  EXPECT_EQ(read(with_target("http://a?q")).query, "q");
  EXPECT_EQ(read(with_target("HTTP://A/")).host, "a");
  EXPECT_EQ(fate(with_target("http://b/")), "400 mesh/malformed");
  EXPECT_EQ(fate(with_target("http://a:80/")), "400 mesh/malformed");
  EXPECT_EQ(fate(with_target("http://u@a/")), "400 mesh/malformed @12");
  EXPECT_EQ(fate(with_target("http://a./")), "400 mesh/malformed @13");
  EXPECT_EQ(fate(with_target("http:///")), "400 mesh/malformed @11");
  EXPECT_EQ(fate("GET http://a/ HTTP/1.0\r\n\r\n"), "400 mesh/malformed");
}

TEST(Head, VersionIsOneDotOneOrOneDotZero) {
  EXPECT_EQ(fate("GET / HTTP/1.0\r\n\r\n"), "");
  EXPECT_EQ(fate("GET / HTTP/1.2\r\nHost: a\r\n\r\n"), "400 mesh/malformed @13");
  EXPECT_EQ(fate("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), "400 mesh/malformed @11");
  EXPECT_EQ(fate("GET / http/1.1\r\nHost: a\r\n\r\n"), "400 mesh/malformed @6");
  EXPECT_EQ(fate("GET / HTTP/1.1 \r\nHost: a\r\n\r\n"), "400 mesh/malformed @14");
  EXPECT_EQ(fate("GET /\r\n\r\n"), "400 mesh/malformed @5");
}

TEST(Head, LinesEndInCrLf) {
  EXPECT_EQ(fate("GET / HTTP/1.1\nHost: a\n\n"), "400 mesh/malformed @14");
  EXPECT_EQ(fate("GET / HTTP/1.1\r\nHost: a\n\r\n"), "400 mesh/malformed @23");
  EXPECT_EQ(fate(with_lines("x: a\rb\r\n")), "400 mesh/malformed @30");
  EXPECT_EQ(fate(with_lines("x: a\nb: c\r\n")), "400 mesh/malformed @29");
  EXPECT_EQ(fate("GET / HTTP/1.1\r\nHost: a\r\n"), "400 mesh/malformed @25");
}

TEST(Head, FieldsAreNotFolded) {
  EXPECT_EQ(fate(with_lines("x: a\r\n b\r\n")), "400 mesh/malformed @31");
  EXPECT_EQ(fate("GET / HTTP/1.1\r\n Host: a\r\n\r\n"), "400 mesh/malformed @16");
}

TEST(Head, NamesAreTokensWithAColonRightBehind) {
  EXPECT_EQ(fate(with_lines("!#$%&'*+-.^_`|~09azAZ: a\r\n")), "");
  EXPECT_EQ(fate(with_lines("x : a\r\n")), "400 mesh/malformed @26");
  EXPECT_EQ(fate(with_lines(": a\r\n")), "400 mesh/malformed @25");
  EXPECT_EQ(fate(with_lines("x\r\n")), "400 mesh/malformed @26");
  EXPECT_EQ(fate(with_lines("x(y): a\r\n")), "400 mesh/malformed @26");
  EXPECT_EQ(fate(with_lines("\x80: a\r\n")), "400 mesh/malformed @25");
}

TEST(Head, ValuesHaveNoControlBytes) {
  for (int byte = 0; byte < 0x20; ++byte) {
    if (byte == '\t' || byte == '\r' || byte == '\n') continue;
    EXPECT_EQ(fate(with_lines("x: a" + std::string(1, static_cast<char>(byte)) + "\r\n")),
              "400 mesh/malformed @29")
        << byte;
  }
  EXPECT_EQ(fate(with_lines("x: a\x7f\r\n")), "400 mesh/malformed @29");
  EXPECT_EQ(fate(with_lines("x: a\tb\r\n")), "");
}

TEST(Path, StrictRefusesWhatReadersReadDifferently) {
  EXPECT_EQ(fate(with_target("/a//b")), "400 mesh/path @7");
  EXPECT_EQ(fate(with_target("//")), "400 mesh/path @5");
  EXPECT_EQ(fate(with_target("/.")), "400 mesh/path @6");
  EXPECT_EQ(fate(with_target("/..")), "400 mesh/path @7");
  EXPECT_EQ(fate(with_target("/./a")), "400 mesh/path @6");
  EXPECT_EQ(fate(with_target("/a/../b")), "400 mesh/path @9");
  EXPECT_EQ(fate(with_target("/a/..?q")), "400 mesh/path @9");
  EXPECT_EQ(fate(with_target("/a\\b")), "400 mesh/path @6");
  EXPECT_EQ(fate(with_target("/a;b")), "400 mesh/path @6");
  EXPECT_EQ(fate(with_target("/a#b")), "400 mesh/path @6");
  EXPECT_EQ(fate(with_target("http://a/b//c")), "400 mesh/path @15");
}

TEST(Path, StrictTakesWhatMeansOneThing) {
  for (const char* path :
       {"/", "/a/", "/...", "/.a", "/a.", "/..a", "/a..b", "/:@!$&'()*+,=~-_", "/\"<>[]^`{|}"}) {
    EXPECT_EQ(fate(with_target(path)), "") << path;
  }
}

TEST(Path, EscapesHaveOneSpelling) {
  for (const char* path :
       {"/%20", "/%25", "/%252F", "/%3B", "/%3b", "/%23", "/%3F", "/%C3%A9", "/%0A", "/%7F", "/%40"}) {
    EXPECT_EQ(fate(with_target(path)), "") << path;
  }
  for (const char* path :
       {"/%2F", "/%2f", "/%5C", "/%5c", "/%00", "/%41", "/%7a", "/%30", "/%2D", "/%2e", "/%5F", "/%7e"}) {
    EXPECT_EQ(fate(with_target(path)), "400 mesh/path @7") << path;
  }
  EXPECT_EQ(fate(with_target("/%")), "400 mesh/path @6");
  EXPECT_EQ(fate(with_target("/%4")), "400 mesh/path @7");
  EXPECT_EQ(fate(with_target("/%/a")), "400 mesh/path @6");
  EXPECT_EQ(fate(with_target("/%zz")), "400 mesh/path @6");
  EXPECT_EQ(fate(with_target("/%2?")), "400 mesh/path @7");
}

TEST(Query, HasTheEscapesOfThePathAndFreeBytesElse) {
  for (const char* target : {"/?", "/?a//b/./..", "/?a;b\\c?d", "/?%20%C3", "/?[x]={y}|z"}) {
    EXPECT_EQ(fate(with_target(target)), "") << target;
  }
  EXPECT_EQ(fate(with_target("/?%2F")), "400 mesh/path @8");
  EXPECT_EQ(fate(with_target("/?%41")), "400 mesh/path @8");
  EXPECT_EQ(fate(with_target("/?%")), "400 mesh/path @7");
  EXPECT_EQ(fate(with_target("/?a#b")), "400 mesh/path @7");
}

TEST(Target, BytesThatNoTargetHasAreMalformed) {
  EXPECT_EQ(fate(with_target("/\x80")), "400 mesh/malformed @5");
  EXPECT_EQ(fate(with_target("/a\tb")), "400 mesh/malformed @6");
  EXPECT_EQ(fate(with_target("/?\x7f")), "400 mesh/malformed @6");
  EXPECT_EQ(fate(with_target(std::string("/a\0b", 4))), "400 mesh/malformed @6");
}

TEST(Order, TheFirstWrongByteWins) {
  EXPECT_EQ(fate("GET /a//b HTTP/1.1\nHost: a\n\n"), "400 mesh/path @7");
  EXPECT_EQ(fate("GeT /a//b HTTP/1.1\r\nHost: a\r\n\r\n"), "400 mesh/malformed @1");
  EXPECT_EQ(fate("GET /a//\x01 HTTP/1.1\r\nHost: a\r\n\r\n"), "400 mesh/path @7");
  EXPECT_EQ(fate("GET /a/\x01// HTTP/1.1\r\nHost: a\r\n\r\n"), "400 mesh/malformed @7");
  // One byte that is both: malformed.
  EXPECT_EQ(fate("GET /%\x01 HTTP/1.1\r\nHost: a\r\n\r\n"), "400 mesh/malformed @6");
  EXPECT_EQ(fate("GET /..\r\nHost: a\r\n\r\n"), "400 mesh/malformed @7");
  // The bytes before what only the whole head shows.
  EXPECT_EQ(fate("GET /a//b HTTP/1.1\r\n\r\n"), "400 mesh/path @7");
}

TEST(Sizes, HeadsEndWithin64KiB) {
  const std::string start = "GET / HTTP/1.1\r\nHost: a\r\nx: ";
  const std::string end = "\r\n\r\n";
  const std::string longest(head_max - start.size() - end.size(), 'x');
  EXPECT_EQ(fate(start + longest + end), "");
  EXPECT_EQ(fate(start + longest + "x" + end), "431 mesh/malformed @65536");
  EXPECT_EQ(fate(start + longest + end + std::string(100, 'b')), "");
  EXPECT_EQ(fate(std::string(head_max + 1, 'x')), "431 mesh/malformed @65536");
  EXPECT_EQ(fate(std::string(head_max, 'x')), "400 mesh/malformed @65536");
}

TEST(Sizes, TargetsEndWithin16KiB) {
  const std::string longest = "/" + std::string(target_max - 1, 'x');
  EXPECT_EQ(fate(with_target(longest)), "");
  EXPECT_EQ(fate(with_target(longest + "x")), "414 mesh/malformed @0");
  EXPECT_EQ(fate(with_target("/?" + longest)), "414 mesh/malformed @0");
  // Sizes come before everything else, and the head's before the target's.
  EXPECT_EQ(fate("get " + longest + "x\n\n"), "414 mesh/malformed @0");
  EXPECT_EQ(fate("CONNECT " + longest + "x HTTP/1.1\r\n\r\n"), "414 mesh/malformed @0");
  EXPECT_EQ(fate("CONNECT " + std::string(head_max, 'x')), "431 mesh/malformed @65536");
}

TEST(Host, IsThereOnce) {
  EXPECT_EQ(fate("GET / HTTP/1.1\r\n\r\n"), "400 mesh/malformed");
  EXPECT_EQ(fate(with_lines("host: a\r\n")), "400 mesh/malformed");
  EXPECT_EQ(read("GET / HTTP/1.0\r\n\r\n").host, std::nullopt);
  EXPECT_EQ(read("GET / HTTP/1.0\r\nHOST: a\r\n\r\n").host, "a");
}

std::string host_fate(const std::string& host) {
  return fate("GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
}

TEST(Host, IsANameOrAddressWithAPort) {
  for (const char* host :
       {"a", "A-b_c.9", "a:1", "a:65535", "10.0.0.1:80", "[::1]", "[fd00::1]:80", "[::ffff:1.2.3.4]"}) {
    EXPECT_EQ(host_fate(host), "") << host;
  }
  for (const char* host : {"", "a.", ".a", "a..b", "a.:80", "u@a", "a:", "a:123456", "a:b", "a b", "a,b",
                           "a%20b", "[::1", "[]", "[::g]", "::1", "a/b", "[::1]a", "http://a"}) {
    EXPECT_EQ(host_fate(host), "400 mesh/malformed") << host;
  }
}

TEST(Host, ComparesWithoutPortAndCase) {
  EXPECT_EQ(read("GET / HTTP/1.1\r\nHost: ShOp:1\r\n\r\n").host, "shop");
  EXPECT_EQ(read("GET / HTTP/1.1\r\nHost: [FD00::1]:80\r\n\r\n").host, "[fd00::1]");
}

TEST(Framing, TheLengthIsGivenOnce) {
  EXPECT_EQ(fate(with_lines("Content-Length: 5\r\n")), "");
  EXPECT_EQ(fate(with_lines("Transfer-Encoding: Chunked\r\n")), "");
  EXPECT_EQ(fate(with_lines("Content-Length: 5\r\nContent-Length: 5\r\n")), "400 mesh/malformed");
  EXPECT_EQ(fate(with_lines("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")), "400 mesh/malformed");
  EXPECT_EQ(fate(with_lines("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")),
            "400 mesh/malformed");
}

TEST(Framing, TheLengthIsANumberOrChunked) {
  for (const char* value : {"", "+5", "-1", "5,5", "0x5", "5 5", "1234567890123456789"}) {
    EXPECT_EQ(fate(with_lines(std::string("Content-Length: ") + value + "\r\n")), "400 mesh/malformed")
        << value;
  }
  for (const char* value : {"", "gzip", "gzip, chunked", "chunked, chunked", "identity", "chunked;q=1"}) {
    EXPECT_EQ(fate(with_lines(std::string("Transfer-Encoding: ") + value + "\r\n")), "400 mesh/malformed")
        << value;
  }
  EXPECT_EQ(fate(with_lines("Content-Length: 123456789012345678\r\n")), "");
  EXPECT_EQ(fate("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), "400 mesh/malformed");
}

/// The path and query that a target has for a service, or `-`: it is refused by `mesh/path`.
std::string normal_form(const std::string& target, const model::Paths& paths) {
  Refusal refusal;
  const auto head = read_head(with_target(target), paths, refusal);
  if (head) return head->path + (head->query ? "?" + *head->query : "");
  EXPECT_STREQ(refusal.rule, model::rule_path) << target;
  return "-";
}

TEST(Paths, AreResolvedWhereThePolicySaysSo) {
  for (const NormalFormRow& row : normal_form_rows) {
    EXPECT_EQ(normal_form(row.target, {model::PathMode::merge, {}}), row.merge_refuses ? "-" : row.merged) << row.target;
    EXPECT_EQ(normal_form(row.target, {model::PathMode::decode, {}}), row.decode_refuses ? "-" : row.decoded) << row.target;
  }
}

/// What is kept is a byte of a segment, but hides no dots and no empty name from servers that read it as an end.
TEST(Paths, KeepWhatThePolicyKeeps) {
  const model::Paths slash{model::PathMode::strict, {"%2F"}};
  EXPECT_EQ(normal_form("/@scope%2Fname", slash), "/@scope%2Fname");
  EXPECT_EQ(normal_form("/%2f%2F", slash), "/%2f%2F");
  EXPECT_EQ(normal_form("/a?b=%2F", slash), "/a?b=%2F");
  for (const char* target : {"/a%2F..", "/a%2f./b", "/..%2Fa", "/.%2F", "/a%5C", "/a;b", "//", "/a?b=%5C", "/a%2F%2e"})
    EXPECT_EQ(normal_form(target, slash), "-") << target;
  const model::Paths parameters{model::PathMode::strict, {";"}};
  EXPECT_EQ(normal_form("/a;v=1;w=../b", parameters), "/a;v=1;w=../b");
  for (const char* target : {"/..;/a", "/.;a", "/;/a", "/a/;", "/a%2Fb"})
    EXPECT_EQ(normal_form(target, parameters), "-") << target;
  const model::Paths both{model::PathMode::strict, {";", "\\", "%5C"}};
  EXPECT_EQ(normal_form("/a\\b;c%5Cd", both), "/a\\b;c%5Cd");
  for (const char* target : {"/a\\..", "/..\\a", "/a\\;", "/a%5c..;x", "/a\\.;x"})
    EXPECT_EQ(normal_form(target, both), "-") << target;
}

TEST(Framing, ListsMayGoOnOverSomeLines) {
  TestedNames tested;
  tested.lists = {"x"};
  std::string lines;
  for (int line = 0; line < 17; ++line) lines += "x: a\r\n";
  EXPECT_EQ(fate(with_lines(lines), tested), "");
  EXPECT_EQ(fate(with_lines(lines + "x: a\r\n"), tested), "400 mesh/malformed");
}

TEST(Framing, ATestedHeaderOccursOnce) {
  const TestedNames tested{{"one", "any"}, {"one"}, {}, {}};
  EXPECT_EQ(fate(with_lines("one: a\r\nany: a\r\nany: b\r\nother: a\r\nother: b\r\n"), tested), "");
  EXPECT_EQ(fate(with_lines("one: a\r\nONE: a\r\n"), tested), "400 mesh/malformed");
}

TEST(Framing, ConnectionNamesNoTestedHeader) {
  const TestedNames tested{{"one", "any"}, {"one"}, {}, {}};
  EXPECT_EQ(fate(with_lines("Connection: keep-alive, other ,,\r\n"), tested), "");
  for (const char* value :
       {"one", "ANY", "close, one", "close ,\tOne\t,x", "host", "content-length", "Transfer-Encoding"}) {
    EXPECT_EQ(fate(with_lines(std::string("Connection: ") + value + "\r\n"), tested), "400 mesh/malformed")
        << value;
  }
  EXPECT_EQ(fate(with_lines("Connection: close\r\nConnection: one\r\n"), tested), "400 mesh/malformed");
  EXPECT_EQ(fate(with_lines("Connection: one\r\n")), "");
}

TEST(Framing, ConnectionNamesAtMost64Headers) {
  std::string names = "x";
  for (int more = 1; more < 64; ++more) names += ",,x";
  EXPECT_EQ(fate(with_lines("Connection: " + names + "\r\n")), "");
  EXPECT_EQ(fate(with_lines("Connection: " + names + "\r\nConnection: y\r\n")), "400 mesh/malformed");
}

}  // namespace
}  // namespace heddle::eval
