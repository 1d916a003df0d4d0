#include "tests/differential/policy_text.h"

#include <array>
#include <cstdio>
#include <vector>

#include "tests/differential/vocabulary.h"

namespace heddle::differential {
namespace {

// `we`, `web`, `web2` end within each other on purpose.
constexpr char preamble[] = R"(mesh m {
  trust_domain "t.example" alias "old.example"
}
identity web    = spiffe "ns/a/web"
identity we     = spiffe "ns/a/we"
identity web2   = spiffe "spiffe://t.example/ns/a/web2"
identity batch1 = spiffe "ns/a/batch-1"
identity deep   = spiffe "ns/a/batch-1/deep"
identity batch  = spiffe "ns/a/batch-*"
identity far    = spiffe "spiffe://far.example/ns/*/far"
identity afar   = spiffe "ns/*/far"
identity both   = web or batch
identity any-far = far or afar or batch
workload web    { cgroup "t/web"    identity web }
workload we     { cgroup "t/we"     identity we }
workload web2   { cgroup "t/web2"   identity web2 }
workload batch1 { cgroup "t/batch1" identity batch1 }
workload deep   { cgroup "t/deep"   identity deep }
)";
const std::vector<std::string> identities = {"web", "we", "web2", "batch1", "deep", "batch", "both", "far", "afar", "any-far"};

std::string quoted(const std::string& bytes) {
  std::string text = "\"";
  for (const char byte : bytes) {
    std::array<char, 8> escape{};
    if (byte == '"' || byte == '\\') {
      text += '\\';
      text += byte;
    } else if (static_cast<unsigned char>(byte) >= 0x80) {
      std::snprintf(escape.data(), escape.size(), "\\x%02X",
                    static_cast<unsigned>(static_cast<unsigned char>(byte)));
      text += escape.data();
    } else {
      text += byte;
    }
  }
  return text + "\"";
}

std::string random_path(Random& random) {
  if (random.chance(4)) return "/";
  std::string path;
  const std::size_t count = random.between(1, random.chance(20) ? 5 : 2);
  for (std::size_t segment = 0; segment < count; ++segment) path += "/" + random.pick(segments);
  return path;
}

std::string callers(Random& random) {
  if (random.chance(8)) return "authenticated";
  if (random.chance(8)) return "unauthenticated";
  const std::string first = random.pick(identities);
  const std::string second = random.pick(identities);
  return first == second || random.chance(60) ? first : first + ", " + second;
}

std::string address_test(Random& random) {
  static const std::vector<std::string> ranges = {"10.0.0.1", "10.0.0.0/28", "10.0.0.16/30", "0.0.0.0/0", "fd00:7::/64",
                                                  "fd00:7::/123", "fd00:7::3", "10.0.0.8/29", "fd00::/8", "::/0"};
  const std::string first = random.pick(ranges);
  const std::string second = random.pick(ranges);
  if (random.chance(50)) return "address is " + first;
  return std::string("address ") + (random.chance(30) ? "not " : "") + "in [" + first + ", " + second + "]";
}

/// What follows `from` in a condition: several stand in a list.
std::string from_test(Random& random) {
  const std::string who = callers(random);
  return who.find(',') == std::string::npos ? "from " + who : "from in [" + who + "]";
}

std::string method_test(Random& random) {
  const std::string first = random.pick(methods);
  const std::string second = random.pick(methods);
  if (first == second || random.chance(50)) return "method is " + first;
  return std::string("method ") + (random.chance(20) ? "not " : "") + "in [" + first + ", " + second + "]";
}

std::string maybe_ignoring_case(Random& random) {
  return random.chance(45) ? " ignoring case" : "";
}

/// A part of a value that stands at its beginning, its end or anywhere, and cuts no escape and no blank.
std::string part_of(const std::string& value, bool from_begin, bool to_end, Random& random) {
  const std::size_t length = random.between(1, value.size());
  const std::size_t begin = from_begin ? 0 : to_end ? value.size() - length : random.below(value.size() - length + 1);
  const std::string part = value.substr(begin, length);
  const bool blank = part.front() == ' ' || part.back() == ' ';
  return blank || value.find('%') != std::string::npos ? value : part;
}

/// Of a header, a query parameter or a cookie.
std::string named_test(const std::string& attribute, const std::vector<std::string>& names,
                       const std::vector<std::string>& values, const std::vector<std::string>& expressions,
                       Random& random) {
  const std::string value = random.pick(values);
  const std::string test = attribute + " " + quoted(random.pick(names)) + " ";
  const bool list = attribute == "header" && value.find(',') == std::string::npos;
  if (list && random.chance(20)) return test + "has " + quoted(value) + maybe_ignoring_case(random);
  switch (random.below(8)) {
    case 0:
      return test + "present";
    case 1:
      return test + "absent";
    case 2:
      return test + "starts " + quoted(part_of(value, true, false, random)) + maybe_ignoring_case(random);
    case 3:
      return test + "ends " + quoted(part_of(value, false, true, random)) + maybe_ignoring_case(random);
    case 4:
      return test + "contains " + quoted(part_of(value, false, false, random)) + maybe_ignoring_case(random);
    case 5:
      return test + "matches /" + random.pick(expressions) + "/";
    case 6:
      return test + (random.chance(50) ? "in [" : "not in [") + quoted(value) + ", " + quoted(random.pick(values)) + "]";
    default:
      return test + "is " + quoted(value) + maybe_ignoring_case(random);
  }
}

std::string host_test(Random& random) {
  const std::string host = random.pick(hosts);
  const std::size_t kind = random.below(3);
  if (kind == 0) return "host is " + quoted(host);
  if (kind == 1) return "host matches /" + random.pick(host_expressions) + "/";
  const std::size_t dot = host.find('.');
  const bool shorter = dot != std::string::npos && host.front() != '[' && random.chance(50);
  return "host under " + quoted(shorter ? host.substr(dot + 1) : host);
}

std::string like_pattern(Random& random) {
  std::string pattern;
  for (std::size_t count = random.between(1, 3); count > 0; --count)
    pattern += "/" + (random.chance(50) ? "{p" + std::to_string(count) + "}" : random.pick(segments));
  return random.chance(50) ? pattern + "/**" : pattern;
}

std::string path_test(Random& random) {
  const std::string path = random_path(random);
  switch (random.below(6)) {
    case 0:
      return "path is " + quoted(path + (random.chance(10) && path != "/" ? "/" : "")) + maybe_ignoring_case(random);
    case 1:
      return "path under " + quoted(path) + maybe_ignoring_case(random);
    case 2:
      return "path ends " + quoted(part_of(path, false, true, random)) + maybe_ignoring_case(random);
    case 3:
      return "path like " + quoted(like_pattern(random)) + maybe_ignoring_case(random);
    case 4:
      return "path matches /" + random.pick(path_expressions) + "/";
    default:
      break;
  }
  const bool shorter = random.chance(30) && path.size() > 2 && path.find('%') == std::string::npos;
  return "path starts " + quoted(shorter ? path.substr(0, path.size() - 1) : path) + maybe_ignoring_case(random);
}

std::string random_test(Random& random) {
  const std::size_t kind = random.below(100);
  if (kind < 30) return path_test(random);
  if (kind < 47) return named_test("header", header_names, header_values, value_expressions, random);
  if (kind < 64) return named_test("query", query_names, query_values, query_expressions, random);
  if (kind < 81) return named_test("cookie", cookie_names, cookie_values, value_expressions, random);
  if (kind < 86) return method_test(random);
  if (kind < 92) return host_test(random);
  if (kind < 96) return address_test(random);
  return from_test(random);
}

std::string condition(Random& random, int depth);

std::string negation(Random& random, int depth) {
  if (depth > 0 && random.chance(30)) return "not (" + condition(random, depth - 1) + ")";
  return "not " + random_test(random);
}

/// One operand: parentheses around what has operators of its own.
std::string operand(Random& random, int depth) {
  if (random.chance(25)) return negation(random, depth);
  if (depth > 0 && random.chance(35)) return "(" + condition(random, depth - 1) + ")";
  return random_test(random);
}

std::string condition(Random& random, int depth) {
  const std::size_t count = random.chance(45) ? 1 : random.between(2, 3);
  const char* join = random.chance(55) ? " and " : " or ";
  std::string text = operand(random, depth);
  for (std::size_t more = 1; more < count; ++more) text += join + operand(random, depth);
  return text;
}

/// What every service can be asked, whatever else it tests.
std::string header_or_path(Random& random) {
  return random.chance(50) ? path_test(random) : "header " + quoted(random.pick(header_names)) + " present";
}

/// A tcp connection has a caller, an address and a port.
std::string tcp_condition(Random& random) {
  const auto one = [&] {
    if (random.chance(20)) return std::string("port is 9000");
    return random.chance(40) ? address_test(random) : from_test(random);
  };
  const std::string first = (random.chance(30) ? "not " : "") + one();
  return random.chance(50) ? first : first + (random.chance(50) ? " and " : " or ") + one();
}

std::string sni_test(Random& random) {
  const std::string name = random.pick(server_names);
  if (random.chance(30))
    return std::string("sni ") + (random.chance(50) ? "not " : "") + "in [" + quoted(name) + ", " +
           quoted(random.pick(server_names)) + "]" + maybe_ignoring_case(random);
  if (random.chance(50)) return "sni is " + quoted(name) + maybe_ignoring_case(random);
  const std::size_t dot = name.find('.');
  const bool shorter = dot != std::string::npos && random.chance(50);
  return "sni under " + quoted(shorter ? name.substr(dot + 1) : name) + maybe_ignoring_case(random);
}

/// Of a connection that begins with TLS a name and an address are known, too.
std::string tls_condition(Random& random, int depth) {
  const auto one = [&] {
    if (depth > 0 && random.chance(20)) return "(" + tls_condition(random, depth - 1) + ")";
    if (random.chance(12)) return random.chance(50) ? from_test(random) : std::string("port is 9000");
    return random.chance(15) ? address_test(random) : sni_test(random);
  };
  std::string text;
  const char* join = random.chance(50) ? " and " : " or ";
  for (std::size_t count = random.chance(45) ? 1 : random.between(2, 3); count > 0; --count)
    text += (text.empty() ? "" : join) + std::string(random.chance(25) ? "not " : "") + one();
  return text;
}

/// What a split may go by.
std::string key(Random& random) {
  if (random.chance(25)) return "address";
  if (random.chance(30)) return "header " + quoted(random.pick(header_names));
  return random.chance(50) ? "query " + quoted(random.pick(query_names)) : "cookie " + quoted(random.pick(cookie_names));
}

/// Where a redirect leads; what it says is never nothing. `prefix`: the path is under it; empty: nothing is known of the path.
std::string redirect(Random& random, const std::string& prefix) {
  static const std::vector<std::string> statuses = {"301", "302", "303", "307", "308"};
  static const std::vector<std::string> ports = {"80", "443", "8080"};
  std::string parts;
  if (random.chance(40)) parts += " scheme " + std::string(random.chance(70) ? "\"https\"" : "\"http\" port 8081");
  if (random.chance(40)) parts += " host " + quoted(random.pick(hosts));
  if (random.chance(40) && parts.find("port") == std::string::npos) parts += " port " + random.pick(ports);
  const std::string path = random_path(random);
  if (!prefix.empty()) {
    parts += " prefix " + quoted(prefix) + " to " + quoted(path == prefix ? path + (path == "/" ? "z" : "/z") : path);
  } else if (parts.empty() || random.chance(40)) {
    parts += " path " + quoted(path);
  }
  return "redirect " + random.pick(statuses) + parts;
}

/// What the mesh answers itself.
std::string answer(Random& random, const std::string& prefix) {
  if (!prefix.empty() || random.chance(50)) return redirect(random, prefix);
  const std::string text = "respond " + std::to_string(random.between(400, 599)) + " \"r" + std::to_string(random.below(5)) + "\"";
  return random.chance(60) ? text : text + " type \"application/json\"";
}

/// Weights in hundredths of a percent that add up to 100%. Some parts are answered, on http services.
std::string split(Random& random, const std::vector<std::string>& pools, const std::string& protocol, const std::string& prefix) {
  const bool tcp = protocol != "http";
  const bool sticky = random.chance(50);
  const std::size_t answered = tcp || random.chance(60) ? 0 : 40;
  const std::size_t parts = random.between(2, 4);
  std::size_t rest = 10000;
  const std::string by = tcp ? "address" : key(random);
  std::string text = sticky ? "split by " + by + " { " : "split { ";
  for (std::size_t part = 0; part < parts; ++part) {
    const std::size_t weight = part + 1 == parts ? rest : random.between(1, rest - (parts - part - 1));
    rest -= weight;
    std::array<char, 48> percent{};
    std::snprintf(percent.data(), percent.size(), "%zu.%02zu%% ", weight / 100, weight % 100);
    text += (part == 0 ? "" : ", ") + std::string(percent.data());
    text += random.chance(answered) ? answer(random, prefix) : random.pick(pools);
  }
  return text + " }";
}

/// A service with everything of its own, written in one place.
class ServiceText {
 public:
  /// `first`, `others`: services of its protocol from that one on.
  ServiceText(Random& random, std::size_t number, std::size_t first, std::size_t others, std::string protocol, Bounds bounds)
      : random_(random),
        number_(number),
        first_(first),
        others_(others),
        protocol_(std::move(protocol)),
        tcp_(protocol_ != "http"),
        tls_(protocol_ == "tls"),
        bounds_(bounds),
        name_("s" + std::to_string(number)),
        pools_{name_} {}

  std::string text() {
    std::string text = service() + endpoints();
    if (!random_.chance(6)) text += access(false);
    if (random_.chance(20)) text += access(true);
    if (number_ == 0 || !random_.chance(6)) text += route();  // there is always a rule to aim at
    if (random_.chance(20)) text += limit();
    return text;
  }

 private:
  std::string address(const char* v4, const char* v6, std::size_t last, const char* port) {
    if (random_.chance(25)) return std::string("[") + v6 + std::to_string(last) + "]:" + port;
    return std::string(v4) + std::to_string(last) + ":" + port;
  }

  std::string service() {
    std::string text =
        "service " + name_ + " {\n  address " + address("10.96.0.", "fd00::", number_ + 1, "80");
    if (random_.chance(30)) text += ", " + address("10.96.1.", "fd01::", number_ + 1, "8080");
    text += "\n  protocol " + protocol_ + "\n  transport plaintext\n";
    static const std::vector<std::string> paths = {
        "strict", "merge", "decode", "strict keep \"%2F\", \";\"", "strict keep \"%5c\", \"\\\\\"", "merge", "decode"};
    if (!tcp_ && random_.chance(30)) text += "  paths " + random_.pick(paths) + "\n";
    for (std::size_t version = 1; version <= 3; ++version) {
      const std::string subset = "v" + std::to_string(version);
      text += "  subset " + subset + " where version is \"" + subset + "\"\n";
      pools_.push_back(subset);
    }
    if (others_ > 1 && random_.chance(40)) {
      const std::string other = "s" + std::to_string(first_ + (number_ - first_ + random_.between(1, others_ - 1)) % others_);
      pools_.push_back(other);
      pools_.push_back(other + ".v" + std::to_string(random_.between(1, 3)));
    }
    static const std::vector<std::string> balances = {"round_robin", "random", "least_request"};
    static const std::vector<std::string> preferences = {"", "", "prefer same_zone ", "prefer same_node "};
    text += "  balance " + random_.pick(preferences) + balance(balances) + "\n";
    if (random_.chance(30)) text += "  eject after 3 failures for 30s at_most 50%\n";
    if (random_.chance(bounds_ == Bounds::tight ? 60 : 20)) text += at_most();
    return text + "}\n";
  }

  std::string balance(const std::vector<std::string>& others) {
    return random_.chance(30) ? "maglev by " + (tcp_ ? "address" : key(random_)) : random_.pick(others);
  }

  std::string at_most() {
    const std::size_t connections = bounds_ == Bounds::tight ? random_.between(1, 4) : 1000000;
    std::string text = "  at_most " + std::to_string(connections) + " connections";
    if (!tcp_ && random_.chance(50)) text += ", " + std::to_string(random_.between(0, 3)) + " pending";
    return text + "\n";
  }

  /// For http services: of a route, or an option of a rule.
  std::string timeout() {
    static const std::vector<std::string> times = {"none", "1ms", "250ms", "0.5s", "2s", "3m", "24h"};
    return "timeout " + random_.pick(times);
  }

  std::string endpoints() {
    std::string text = "endpoints " + name_ + " {\n";
    const std::size_t count = random_.between(1, 5);
    for (std::size_t endpoint = 1; endpoint <= count; ++endpoint) {
      const std::string net = std::to_string(number_);
      text += "  endpoint " +
              address(("10.1." + net + ".").c_str(), ("fd02::" + net + ":").c_str(), endpoint, "9000");
      text += " { version \"v" + std::to_string(random_.between(1, 3)) + "\"";
      text += random_.chance(50) ? " zone \"a\"" : " zone \"b\"";
      if (random_.chance(60)) text += " node \"" + std::to_string(random_.between(1, 2)) + "\"";
      if (random_.chance(30)) text += " weight " + std::to_string(random_.between(1, 5));
      text += " }\n";
    }
    return text + "}\n";
  }

  /// Whatever endpoint is dialled has port 9000.
  std::string any_condition(int depth) {
    if (!tcp_ && random_.chance(5)) return random_.chance(50) ? "port is 80" : "not port in [9000]";
    if (tls_) return tls_condition(random_, depth);
    return tcp_ ? tcp_condition(random_) : condition(random_, depth);
  }

  std::string access(bool block_is_audited) {
    std::string text = "access " + name_ + (block_is_audited ? " audit {\n" : " {\n");
    const std::size_t count = random_.between(0, 3);
    for (std::size_t rule = 0; rule < count; ++rule) {
      if (!block_is_audited && random_.chance(25)) text += "  audit";
      text += random_.chance(30) ? "  deny from " : "  allow from ";
      text += random_.chance(40) ? "any" : callers(random_);
      text += " when " + any_condition(1) + "\n";
    }
    if (random_.chance(85)) text += "  allow from any\n";
    if (text.ends_with("{\n")) text += "  allow from authenticated\n";
    return text + "}\n";
  }

  /// With room for whatever comes: what limits do is compared in limits_test.cpp.
  std::string limit() {
    std::string text = "limit l" + std::to_string(number_) + " on " + name_ + " {\n";
    if (random_.chance(60)) text += "  when " + any_condition(1) + "\n";
    text += "  rate 1000000/s burst 1000000\n";
    const bool of_connection = tcp_ || random_.chance(30);
    const char* own = tcp_ && random_.chance(50) ? "address" : "identity";
    if (random_.chance(60)) text += "  key " + (of_connection ? std::string(own) : key(random_)) + "\n";
    return text + "}\n";
  }

  /// `prefix`: what the path is known to be under, or empty.
  std::string target(const std::string& prefix = "") {
    const std::size_t kind = random_.below(10);
    if ((kind < 4 && kind >= 2 && !tcp_) || (!prefix.empty() && kind >= 4)) return answer(random_, prefix);
    const std::string to = kind < 2 ? split(random_, pools_, protocol_, prefix) : random_.pick(pools_);
    return tcp_ || random_.chance(70) ? to : to + " { " + timeout() + " }";
  }

  std::string route() {
    std::string text = "route " + name_ + " {\n";
    if (!tcp_ && random_.chance(40)) text += "  " + timeout() + "\n";
    const std::size_t count = random_.between(1, random_.chance(10) ? 25 : 7);
    for (std::size_t rule = 0; rule < count; ++rule) {
      const std::string prefix = !tcp_ && random_.chance(12) ? random_path(random_) : "";
      const std::string under = prefix.empty() ? "" : "path under " + quoted(prefix) + " and ";
      text += "  when " + (prefix.empty() ? any_condition(2) : under + "(" + any_condition(2) + ")") + " -> ";
      text += target(prefix) + "\n";
    }
    return text + "  otherwise -> " + target() + "\n}\n";
  }

  Random& random_;
  std::size_t number_;
  std::size_t first_;
  std::size_t others_;
  std::string protocol_;
  bool tcp_;  // or tls
  bool tls_;
  Bounds bounds_;
  std::string name_;
  std::vector<std::string> pools_;
};

}  // namespace

std::string random_policy(Random& random, Bounds bounds) {
  std::string text = preamble;
  const std::size_t services = random.between(1, 3);
  for (std::size_t number = 0; number < services; ++number) {
    text += ServiceText(random, number, 0, services, "http", bounds).text();
  }
  std::size_t first = services;
  for (const char* protocol : {"tcp", "tls"}) {
    const std::size_t count = random.chance(50) ? random.between(1, 2) : 0;
    for (std::size_t number = first; number < first + count; ++number)
      text += ServiceText(random, number, first, count, protocol, bounds).text();
    first += 2;
  }
  if (random.chance(25)) {
    text += "access every http service {\n  " + std::string(random.chance(50) ? "audit " : "") + "deny from " + callers(random) +
            " when " + header_or_path(random) + "\n}\n";
  }
  if (random.chance(15)) {
    text += "access every service {\n  deny from " + callers(random) + (random.chance(50) ? " when " + address_test(random) : "") + "\n}\n";
  }
  return text;
}

std::string many_routes(std::size_t count) {
  std::string text = preamble;
  text += R"(service s0 {
  address 10.96.0.1:80
  protocol http
  transport plaintext
  subset v1 where version is "v1"
  subset v2 where version is "v2"
  balance round_robin
  endpoint 10.1.0.1:9000 { version "v1" }
  endpoint 10.1.0.2:9000 { version "v2" }
}
access s0 { allow from any }
route s0 {
)";
  // The number of the route is in its literal, so no two are equal. Every third one overlaps the one before:
  // the same literal under a wider or narrower test.
  for (std::size_t route = 0; route < count; ++route) {
    const bool overlaps = route % 3 == 2;
    const std::string n = std::to_string(overlaps ? route - 1 : route);
    const std::vector<std::string> shapes = {
        "path is \"/r/" + n + "\"",
        "path under \"/r/" + n + "\" and method is GET",
        "path starts \"/r/" + n + "\"",
        "header \"end-user\" is \"u" + n + "\"",
        "(header \"end-user\" is \"u" + n + "\" or path under \"/u/" + n + "\") and not method is POST",
        "host is \"h" + n + ".example\"",
        "host is \"h" + n + ".example\" and not path under \"/private\"",
        "path under \"/r/" + n + "\" and header \"x-tenant\" present and not header \"x-a\" present",
        "method in [PUT, DELETE] and (path is \"/r/" + n + "\" or path is \"/s/" + n + "\")",
        "header \"x-tenant\" is \"t" + n + "\" and from web",
        "not (header \"x-a\" absent or path starts \"/u\") and host is \"h" + n + ".example\"",
        "((path is \"/r/" + n + "\" and header \"x-a\" present) or header \"end-user\" is \"w" + n + "\") and not method is POST",
        "host is \"h" + n + ".example\" and (not path starts \"/r/" + n + "\" or header \"x-tenant\" is \"t" + n + "\")",
    };
    const std::size_t own = route % shapes.size();
    const std::size_t other = (route * 5 + 3) % shapes.size();
    const bool repeats = other == (route - 1) % shapes.size();
    const std::string shape = shapes[!overlaps ? own : repeats ? (other + 1) % shapes.size() : other];
    text += "  when " + shape + " -> " +
            (route % 7 == 0   ? "split { 90% v1, 10% v2 }"
             : route % 2 == 0 ? "v1"
                              : "v2") +
            "\n";
  }
  return text + "  otherwise -> v1\n}\n";
}

}  // namespace heddle::differential
