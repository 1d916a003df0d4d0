// What a test says to the server: the rest of the class is in server.cpp.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <sstream>

#include "tests/e2e/fast_path/server/server.h"

namespace heddle::fast_path {

namespace {

constexpr std::array<std::string_view, 4> mode_names = {"normal", "unread", "early", "deaf"};

std::vector<std::string> split(const std::string& line) {
  std::istringstream words(line);
  std::vector<std::string> found;
  for (std::string word; words >> word;) found.push_back(word);
  return found;
}

std::string quote(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    char escaped[8];
    const bool plain = c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
    std::snprintf(escaped, sizeof escaped, plain ? "%c" : "\\u%04x",
                  plain ? c : static_cast<unsigned char>(c));
    quoted += escaped;
  }
  return quoted + "\"";
}

[[noreturn]] void give_up(const char* what) {
  std::perror(what);
  std::exit(2);
}

}  // namespace

const Server::Named Server::commands[] = {
    {"statistics", &Server::show_statistics},
    {"mode", &Server::set_mode},    // ENDPOINT MODE
    {"release", &Server::release},  // what is held
    {"shout", &Server::shout},      // an answer that nobody asked for, on every idle connection of ENDPOINT
    {"end", &Server::end_all},      // all connections of ENDPOINT, `reset` or `close`
};

void Server::listen(const std::string& spelled) {
  const std::size_t equals = spelled.find('=');
  const std::size_t colon = spelled.rfind(':');
  std::string host = spelled.substr(equals + 1, colon - equals - 1);
  std::erase_if(host, [](char c) { return c == '[' || c == ']'; });
  const auto port = static_cast<std::uint16_t>(std::atoi(spelled.c_str() + colon + 1));

  sockaddr_in6 address6{};
  sockaddr_in address4{};
  address6.sin6_family = AF_INET6;
  address4.sin_family = AF_INET;
  address6.sin6_port = address4.sin_port = htons(port);
  const bool six = ::inet_pton(AF_INET6, host.c_str(), &address6.sin6_addr) == 1;
  if (!six && ::inet_pton(AF_INET, host.c_str(), &address4.sin_addr) != 1) give_up(spelled.c_str());
  auto* const address = six ? reinterpret_cast<sockaddr*>(&address6) : reinterpret_cast<sockaddr*>(&address4);
  socklen_t size = six ? sizeof address6 : sizeof address4;

  auto endpoint = std::make_unique<Endpoint>();
  endpoint->name = spelled.substr(0, equals);
  endpoint->listener = ::socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int one = 1;
  ::setsockopt(endpoint->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  // Any port: below those that the kernel gives to clients, so that it is still free when the server starts
  // again.
  std::random_device random;
  bool bound = port != 0 && ::bind(endpoint->listener, address, size) == 0;
  for (int i = 0; i < 1000 && port == 0 && !bound; ++i) {
    const auto chosen = static_cast<std::uint16_t>(12'000 + random() % 20'000);
    (six ? address6.sin6_port : address4.sin_port) = htons(chosen);
    bound = ::bind(endpoint->listener, address, size) == 0;
  }
  if (!bound || ::listen(endpoint->listener, 8192) != 0) give_up("listen");
  ::getsockname(endpoint->listener, address, &size);
  endpoint->port = ntohs(six ? address6.sin6_port : address4.sin_port);
  endpoints_.push_back(std::move(endpoint));
  last_number_ = endpoints_.size();
  epoll_event event{.events = EPOLLIN, .data = {.u64 = last_number_}};
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, endpoints_.back()->listener, &event);
}

std::string Server::ports() const {
  std::string text;
  for (const auto& endpoint : endpoints_) {
    text += (text.empty() ? "{" : ", ") + quote(endpoint->name) + ": " + std::to_string(endpoint->port);
  }
  return text + "}";
}

/// False: nobody is there any more.
bool Server::obey() {
  std::array<char, 4096> space{};
  const ssize_t count = ::read(STDIN_FILENO, space.data(), space.size());
  if (count <= 0) return false;
  input_.append(space.data(), static_cast<std::size_t>(count));
  for (std::size_t end = 0; (end = input_.find('\n')) != std::string::npos; input_.erase(0, end + 1)) {
    std::puts(answer_command(input_.substr(0, end)).c_str());
  }
  std::fflush(stdout);
  return true;
}

std::string Server::answer_command(const std::string& line) {
  const std::vector<std::string> words = split(line);
  for (const Named& named : commands) {
    if (!words.empty() && words[0] == named.name) return (this->*named.command)(words);
  }
  return "\"unknown command\"";
}

std::string Server::show_statistics(const std::vector<std::string>&) {
  const auto held = std::count_if(connections_.begin(), connections_.end(),
                                  [](const auto& entry) { return entry.second->held; });
  std::uint64_t most_open = 0;
  for (const auto& endpoint : endpoints_) most_open = std::max(most_open, endpoint->most_open);
  std::ostringstream out;
  out << "{\"requests\": " << statistics_.requests << ", \"body_bytes\": " << statistics_.body_bytes
      << ", \"accepted\": " << statistics_.accepted << ", \"open\": " << connections_.size()
      << ", \"most_open\": " << most_open << ", \"answered\": " << statistics_.answered << ", \"held\": " << held
      << ", \"cut\": " << statistics_.cut << ", \"violations\": " << statistics_.violations
      << ", \"first_violation\": " << quote(statistics_.first_violation) << "}";
  return out.str();
}

std::string Server::set_mode(const std::vector<std::string>& words) {
  const auto mode =
      words.size() == 3 ? std::find(mode_names.begin(), mode_names.end(), words[2]) : mode_names.end();
  if (mode == mode_names.end()) return "\"mode ENDPOINT MODE\"";
  int changed = 0;
  for (const auto& endpoint : endpoints_) {
    if (endpoint->name != words[1]) continue;
    endpoint->mode = static_cast<Mode>(mode - mode_names.begin());
    ++changed;
  }
  for (const auto& [number, connection] : connections_) {
    connection->early = false;
    if (connection->at.name == words[1]) watch(*connection);
  }
  return std::to_string(changed);
}

std::string Server::release(const std::vector<std::string>&) {
  std::vector<std::uint64_t> numbers;
  for (const auto& [number, connection] : connections_) {
    if (connection->held) numbers.push_back(number);
  }
  for (const std::uint64_t number : numbers) {
    Connection& connection = *connections_.at(number);
    connection.held = connection.waits = false;
    write(connection);
  }
  return std::to_string(numbers.size());
}

std::string Server::shout(const std::vector<std::string>& words) {
  constexpr std::string_view text =
      "HTTP/1.1 200 OK\r\nX-Target: shouted\r\nContent-Length: 7\r\n\r\nshouted";
  int heard = 0;
  for (const auto& [number, connection] : connections_) {
    if (words.size() != 2 || connection->at.name != words[1] || connection->writing) continue;
    if (::send(connection->fd, text.data(), text.size(), MSG_NOSIGNAL) > 0) ++heard;
  }
  return std::to_string(heard);
}

std::string Server::end_all(const std::vector<std::string>& words) {
  std::vector<std::uint64_t> numbers;
  for (const auto& [number, connection] : connections_) {
    if (words.size() == 3 && connection->at.name == words[1]) numbers.push_back(number);
  }
  for (const std::uint64_t number : numbers) close(*connections_.at(number), words[2] == "reset");
  return std::to_string(numbers.size());
}

}  // namespace heddle::fast_path
