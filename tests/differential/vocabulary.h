#pragma once

#include <string>
#include <vector>

/// The words that policies and requests are made of: few and alike, so that they meet, and end within each
/// other.
namespace heddle::differential {

inline const std::vector<std::string> segments = {
    "a",  "b",         "ab",    "abc", "A",   "reviews", "review",  "v1",    "x-1",  "a%20b",
    "~u", "caf%C3%A9", ".well", "1.2", "%25", "a=b",     "x%c3%bf", "a@b:c", "p%3Bq"};
inline const std::vector<std::string> methods = {"GET",   "HEAD",     "POST", "PUT", "DELETE",
                                                 "PATCH", "M-SEARCH", "G",    "GETX"};
inline const std::vector<std::string> hosts = {"shop.example", "a.example",        "shop",  "10.0.0.1",
                                               "x-y_z.test",   "www.shop.example", "[::1]", "s0"};
inline const std::vector<std::string> server_names = {"shop.example", "a.example", "shop",       "www.shop.example",
                                                      "x-y_z.test",   "s0",        "b.a.example", "WWW.Shop.Example"};
inline const std::vector<std::string> header_names = {"x-a",    "x-ab", "end-user", "x-tenant",
                                                      "accept", "x_b",  "via"};
inline const std::vector<std::string> query_names = {"q", "qa", "page", "Page", "x-1", "a[]", "be.ta"};
inline const std::vector<std::string> cookie_names = {"sid", "si", "session", "Sid", "b_1", "q"};

/// Values as bytes; none begins or ends with a blank.
inline const std::vector<std::string> header_values = {
    "a", "b", "ab", "jason", "Jason", "a b", "a, b", "\xc3\xa9", "q=\"1\"", "a\\b", "0", "true", "a;b"};
inline const std::vector<std::string> query_values = {"1",   "a",   "ab",  "a%20b", "caf%C3%A9", "x=y",
                                                      "a+b", "True", "%25", "a/b",   "p%3bq",     "0"};
inline const std::vector<std::string> cookie_values = {
    "a", "b", "ab", "jason", "Jason", "a b", "\xc3\xa9", "\"q\"", "a=b", "0", "true"};

/// Regular expressions as they stand between the slashes: of paths, hosts, queries, and of everything else.
inline const std::vector<std::string> path_expressions = {
    R"(\/a(b|bc)?)",         R"(\/[a-z]+)",          R"(\/(a|b)\/.+)",     R"(.*\.2)",         R"(\/.*view(s)?(\/.*)?)",
    R"(\/caf%C3%A9(\/\w*)*)", R"(\/[^\/]{1,3}\/b)",   R"((\/[a-c]{1,2}){2})", R"(\/x%C3%BF?.*)", R"(\/a%20b\/?.*)",
    R"(\/v\d(\/[\w.-]+)?)",  R"(.*%[0-9A-F]{2}b?)",   R"(\/(a|ab|abc))"};
inline const std::vector<std::string> host_expressions = {R"((www\.)?shop\.EXAMPLE)", R"([a-z]\.example)", R"(.*\.test)",
                                                          R"(s\d+)", R"(\d+(\.\d+){3})"};
inline const std::vector<std::string> query_expressions = {R"(\d+)", R"(a(%20|\+)?b)", R"([a-z]*)", R"(caf.*)",
                                                           R"((t|T)rue)", R"(.*%[A-F0-9]+)", R"(x=.)"};
inline const std::vector<std::string> value_expressions = {R"([Jj]ason)", R"(a.?b)", R"((a|b){1,2})", R"(\w+)",
                                                           R"([^a]*)",    R"(.*\xa9)", R"(true|0)",    R"(a\s*b|"q")", R"(a(|b))"};

}  // namespace heddle::differential
