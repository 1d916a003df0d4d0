#include "runtime/handler/tunnel/head.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace heddle::tunnel {
namespace {

constexpr std::uint8_t v4_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool is_v4(const Target& target) {
  return std::equal(std::begin(v4_prefix), std::end(v4_prefix), target.address.begin());
}

std::string address_text(const Target& target) {
  char text[INET6_ADDRSTRLEN] = {};
  if (is_v4(target)) return ::inet_ntop(AF_INET, target.address.data() + 12, text, sizeof text);
  return std::string("[") + ::inet_ntop(AF_INET6, target.address.data(), text, sizeof text) + "]";
}

/// A decimal number as one writes it: no sign, no zeros in front.
std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  if (text.empty() || text.front() == '0') return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return port;
}

bool parse_address(std::string_view text, bool v6, Target& out) {
  char terminated[INET6_ADDRSTRLEN] = {};
  if (text.empty() || text.size() >= sizeof terminated) return false;
  std::memcpy(terminated, text.data(), text.size());
  if (v6) return ::inet_pton(AF_INET6, terminated, out.address.data()) == 1;
  std::copy(std::begin(v4_prefix), std::end(v4_prefix), out.address.begin());
  return ::inet_pton(AF_INET, terminated, out.address.data() + 12) == 1;
}

/// What stands in front of the port, and the port with its colon, if there is one.
std::optional<Target> parse(std::string_view text, bool port_needed) {
  Target target;
  const bool v6 = text.starts_with('[');
  const std::size_t end = v6 ? text.find(']') : std::min(text.find(':'), text.size());
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view address = v6 ? text.substr(1, end - 1) : text.substr(0, end);
  const std::string_view rest = text.substr(v6 ? end + 1 : end);
  if (!parse_address(address, v6, target)) return std::nullopt;
  if (rest.empty()) return port_needed ? std::nullopt : std::optional(target);
  const std::optional<std::uint16_t> port = rest.front() == ':' ? parse_port(rest.substr(1)) : std::nullopt;
  if (!port) return std::nullopt;
  target.port = *port;
  return target;
}

}  // namespace

std::string authority_text(const Target& target) {
  return address_text(target) + ":" + std::to_string(target.port);
}

std::optional<Target> parse_authority(std::string_view authority) {
  return parse(authority, true);
}

std::string forwarded_text(const Target& client) {
  std::string who = address_text(client);
  if (client.port != 0) who += ":" + std::to_string(client.port);
  return who.find(':') == std::string::npos ? "for=" + who : "for=\"" + who + "\"";
}

/// Of a list the last element is what our peer says itself; what stands before it, it only passes on.
std::optional<Target> parse_forwarded(std::string_view forwarded) {
  const std::size_t comma = forwarded.rfind(',');
  std::string_view element = comma == std::string_view::npos ? forwarded : forwarded.substr(comma + 1);
  while (!element.empty()) {
    const std::size_t end = std::min(element.find(';'), element.size());
    std::string_view pair = element.substr(0, end);
    element.remove_prefix(std::min(end + 1, element.size()));
    while (!pair.empty() && (pair.front() == ' ' || pair.front() == '\t')) pair.remove_prefix(1);
    while (!pair.empty() && (pair.back() == ' ' || pair.back() == '\t')) pair.remove_suffix(1);
    constexpr std::string_view name = "for=";
    const auto same = [](char a, char b) { return (a | 0x20) == (b | 0x20); };
    if (pair.size() < name.size() || !std::equal(name.begin(), name.end(), pair.begin(), same)) continue;
    pair.remove_prefix(name.size());
    if (pair.size() >= 2 && pair.front() == '"' && pair.back() == '"') pair = pair.substr(1, pair.size() - 2);
    return parse(pair, false);
  }
  return std::nullopt;
}

}  // namespace heddle::tunnel
