#include "compiler/eval/answer.h"

#include <algorithm>

#include "compiler/eval/bytes.h"

namespace heddle::eval {
namespace {

/// `Host` without its port, and the port with its colon or nothing.
struct Authority {
  std::string host;
  std::string port;
};

Authority authority_of(const Head& head, const model::SocketAddress& dialled) {
  const auto hosts = values_of(head, "host");
  const std::string text = hosts.empty() ? dialled.text() : std::string(hosts.front());
  std::size_t end = text.size();
  while (end > 0 && is_digit(text[end - 1])) --end;
  const bool has_port = end > 0 && text[end - 1] == ':';  // an IPv6 address ends in a bracket
  if (!has_port) return {text, ""};
  return {text.substr(0, end - 1), text.substr(end - 1)};
}

bool is_port(const std::string& with_colon, unsigned long port) {
  return with_colon.size() > 1 && std::stoul(with_colon.substr(1)) == port;
}

std::string port_of(const model::Redirect& redirect, const Authority& request) {
  std::string port = request.port;
  if (redirect.https || !redirect.host.empty()) port.clear();
  if (redirect.port != 0) port = ":" + std::to_string(redirect.port);
  return is_port(port, redirect.https ? 443 : 80) ? "" : port;
}

/// Segments without the slash at their end: the root has none.
std::string without_end(const std::string& segments) {
  return segments == "/" ? "" : segments;
}

std::string path_of(const model::Redirect& redirect, const std::string& path) {
  if (redirect.path.empty()) return path;
  if (redirect.prefix.empty()) return redirect.path;
  return moved(path, redirect.prefix, redirect.path);
}

}  // namespace

std::string moved(const std::string& path, const std::string& from, const std::string& to) {
  const std::size_t prefix = std::min(without_end(from).size(), path.size());
  const std::string result = without_end(to) + path.substr(prefix);
  return result.empty() ? "/" : result;
}

std::string location(const model::Redirect& redirect, const Head& head, const model::SocketAddress& dialled) {
  const Authority request = authority_of(head, dialled);
  return std::string(redirect.https ? "https://" : "http://") +
         (redirect.host.empty() ? request.host : redirect.host) + port_of(redirect, request) +
         path_of(redirect, head.path) + (head.query ? "?" + *head.query : "");
}

std::map<std::string, std::string> answer_headers(const model::Respond& respond, const Head& head,
                                                  const model::SocketAddress& dialled) {
  if (respond.redirect) return {{"location", location(*respond.redirect, head, dialled)}};
  if (respond.body.empty()) return {};
  return {{"content-type", respond.type.empty() ? model::plain_text : respond.type}};
}

}  // namespace heddle::eval
