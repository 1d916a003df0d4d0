#include "compiler/cli/starter.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

namespace heddle::cli {

namespace {

constexpr std::array<std::string_view, 10> reserved_names = {
    "any", "authenticated", "unauthenticated", "none", "and", "or", "not", "split", "respond", "redirect"};

constexpr char client[] = "web";

constexpr char head_text[] =
    R"(// A policy to start from. `heddle check {file}` says what is wrong with it, `heddle test {file}` runs its tests,
// `heddle run {file}` puts it to work on this machine, and takes over every change that you save.

mesh demo {{
  trust_domain "demo.example"
}}

/// Whoever calls the services: `heddle exec {client} -- curl …` runs a command as this workload.
identity {client} = spiffe "{client}"
workload {client} {{
  cgroup   "heddle-demo/{client}"
  identity {client}
}}
)";

constexpr char service_text[] = R"(
/// A server that runs on this machine already. Clients go on using its address.
service {name} {{
  address   {address}
  protocol  http
  transport plaintext
  balance   round_robin
  endpoint  {address}
}}

route {name} {{
  when path is "/heddle" -> respond 200 "this answer comes from the mesh\n"
  otherwise              -> {name}
}}

/// Everything that no line allows is denied.
access {name} {{
  allow from {client} when method in [GET, HEAD]
}}
)";

constexpr char test_text[] = R"(
test "{client} may read, and nobody may write" {{
  send GET "/" to {name} from {client}
  expect allowed, route {name}

  send DELETE "/" to {name} from {client}
  expect denied

  send GET "/" to {name} from unauthenticated
  expect denied
}}
)";

Error usage(std::string what, std::string help) {
  return {ErrorKind::usage, std::move(what), std::move(help)};
}

bool is_name_start(char byte) {
  return ('a' <= byte && byte <= 'z') || ('A' <= byte && byte <= 'Z') || byte == '_';
}

bool is_name_part(char byte) {
  return is_name_start(byte) || ('0' <= byte && byte <= '9');
}

/// `[A-Za-z_][A-Za-z0-9_]*(-[A-Za-z0-9_]+)*`, and not reserved.
bool is_name(std::string_view text) {
  if (text.empty() || !is_name_start(text.front()) || text.back() == '-') return false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool joins = text[at] == '-' && text[at - 1] != '-';
    if (!joins && !is_name_part(text[at])) return false;
  }
  return std::ranges::find(reserved_names, text) == reserved_names.end();
}

bool parse_port(std::string_view text, std::uint16_t& port) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port != 0;
}

bool parse_address(std::string_view text, model::SocketAddress& address) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || !parse_port(text.substr(colon + 1), address.port)) return false;
  std::string ip(text.substr(0, colon));
  const bool bracketed = ip.size() > 2 && ip.front() == '[' && ip.back() == ']';
  if (bracketed) ip = ip.substr(1, ip.size() - 2);
  return model::parse_ip(ip, address.ip) && address.ip.is_v4() != bracketed;
}

std::string service_block(const StarterService& service) {
  return fmt::format(service_text, fmt::arg("name", service.name),
                     fmt::arg("address", service.address.text()), fmt::arg("client", client));
}

}  // namespace

Result<StarterService> make_starter_service(const std::string& text) {
  const std::string help = "write `--service shop=127.0.0.1:8080`, or `--service shop=[::1]:8080`";
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos) return usage("`" + text + "` is not of the form name=address", help);
  StarterService service;
  service.name = text.substr(0, equals);
  if (!is_name(service.name)) {
    return usage(
        "`" + service.name + "` cannot be the name of a service",
        "a name is letters, digits, `_` and single `-`, begins with a letter, and is no reserved word");
  }
  const std::string address = text.substr(equals + 1);
  if (!parse_address(address, service.address)) {
    return usage("`" + address + "` is no IP address with a port", help);
  }
  return service;
}

std::vector<StarterService> default_starter_services() {
  std::vector<StarterService> services;
  for (const char* text : {"hello=127.0.0.1:8081", "world=127.0.0.1:8082"}) {
    services.push_back(make_starter_service(text).value());
  }
  return services;
}

Result<std::string> make_starter_policy(const std::vector<StarterService>& services) {
  std::string text = fmt::format(head_text, fmt::arg("client", client), fmt::arg("file", "policy/"));
  for (std::size_t at = 0; at < services.size(); ++at) {
    for (std::size_t before = 0; before < at; ++before) {
      const std::string& name = services[at].name;
      if (services[before].name == name) return usage("two services are called `" + name + "`", "");
      if (services[before].address == services[at].address) {
        return usage("`" + services[before].name + "` and `" + name + "` have the same address",
                     "an address belongs to one service");
      }
    }
    text += service_block(services[at]);
  }
  text += fmt::format(test_text, fmt::arg("name", services.front().name), fmt::arg("client", client));
  return text;
}

}  // namespace heddle::cli
