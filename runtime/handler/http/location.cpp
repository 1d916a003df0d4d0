#include "runtime/handler/http/location.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "runtime/handler/http/characters.h"
#include "runtime/handler/http/field.h"

namespace heddle::http {

namespace {

/// Parts of a request's URI, as they came.
struct Uri {
  std::string_view host;
  std::string_view port;  // digits
  std::string_view path;
  std::string_view query;  // with its `?`
};

std::string_view host_of(std::string_view head) {
  FieldCursor fields(head, head.find('\n') + 1);
  while (const std::optional<Field> field = fields.next()) {
    if (field->kind == FieldKind::host) return field->value;
  }
  return {};
}

Uri uri_of(std::string_view head) {
  Uri uri;
  const std::string_view line = head.substr(0, head.find('\r'));
  const std::size_t begin = line.find(' ') + 1;
  const std::string_view target = line.substr(begin, line.find(' ', begin) - begin);
  const std::size_t mark = std::min(target.find('?'), target.size());
  uri.path = target.substr(0, mark);
  uri.query = target.substr(mark);
  uri.host = host_of(head);
  const std::size_t address_end = uri.host.starts_with('[') ? uri.host.find(']') : 0;
  const std::size_t colon = uri.host.find(':', address_end);
  if (colon == std::string_view::npos) return uri;
  uri.port = uri.host.substr(colon + 1);
  uri.host = uri.host.substr(0, colon);
  return uri;
}

std::string address_text(std::span<const std::uint8_t, 16> address) {
  constexpr std::array<std::uint8_t, 12> v4_mapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  std::array<char, INET6_ADDRSTRLEN> text{};
  const bool v4 = std::equal(v4_mapped.begin(), v4_mapped.end(), address.begin());
  const void* bytes = address.data() + (v4 ? v4_mapped.size() : 0);
  ::inet_ntop(v4 ? AF_INET : AF_INET6, bytes, text.data(), text.size());
  return v4 ? std::string(text.data()) : "[" + std::string(text.data()) + "]";
}

/// With its colon; empty where the scheme says it.
std::string port_text(const Relocation& relocation, std::string_view asked) {
  const std::string own = std::to_string(relocation.port);
  const bool elsewhere = relocation.https || !relocation.host.empty();
  const std::string_view port = relocation.port != 0 ? std::string_view(own) : elsewhere ? std::string_view() : asked;
  unsigned number = 0;
  std::from_chars(port.data(), port.data() + port.size(), number);
  const bool usual = number == (relocation.https ? 443U : 80U);
  return port.empty() || usual ? std::string() : ":" + std::string(port);
}

/// None: the path is not under the prefix.
std::optional<std::string> moved_path(const Relocation& relocation, std::string_view path) {
  if (relocation.path.empty()) return std::string(path);
  if (relocation.prefix.empty()) return std::string(relocation.path);
  const std::size_t cut = relocation.prefix == "/" ? 0 : relocation.prefix.size();
  if (path.size() < cut || (path.size() > cut && path[cut] != '/')) return std::nullopt;
  std::string moved(relocation.path == "/" ? std::string_view() : relocation.path);
  moved += path.substr(cut);
  return moved.empty() ? "/" : moved;
}

}  // namespace

std::optional<std::string> make_location(const Relocation& relocation, std::string_view head, const Dialled& dialled) {
  const Uri uri = uri_of(head);
  const std::optional<std::string> path = moved_path(relocation, uri.path);
  if (!path) return std::nullopt;
  std::string location = relocation.https ? "https://" : "http://";
  if (!relocation.host.empty()) {
    location += relocation.host;
  } else {
    location += uri.host.empty() ? address_text(dialled.address) : std::string(uri.host);
  }
  location += port_text(relocation, uri.host.empty() ? std::to_string(dialled.port) : std::string(uri.port));
  location += *path;
  location += uri.query;
  const bool visible = std::all_of(location.begin(), location.end(), [](char c) { return is(c, visible_character); });
  return visible ? std::optional(std::move(location)) : std::nullopt;
}

}  // namespace heddle::http
