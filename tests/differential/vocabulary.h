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
inline const std::vector<std::string> header_names = {"x-a",    "x-ab", "end-user", "x-tenant",
                                                      "accept", "x_b",  "via"};

/// Values as bytes; none begins or ends with a blank.
inline const std::vector<std::string> header_values = {
    "a", "b", "ab", "jason", "Jason", "a b", "a, b", "\xc3\xa9", "q=\"1\"", "a\\b", "0", "true", "a;b"};

}  // namespace heddle::differential
