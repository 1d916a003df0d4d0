#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "tests/e2e/fast_path/server/answer.h"
#include "tests/e2e/fast_path/server/request.h"

namespace heddle::fast_path {

/// What an endpoint does with what comes.
enum class Mode {
  normal,
  unread,  // closes a connection on which something lies, without reading it
  early,   // answers what lies there before it reads it
  deaf,    // reads nothing until it has another mode
};

struct Endpoint {
  std::string name;
  int listener = -1;
  std::uint16_t port = 0;
  Mode mode = Mode::normal;
  std::uint64_t open = 0;       // connections
  std::uint64_t most_open = 0;  // at a time when the server had seen all ends that there were
};

struct Connection {
  Connection(std::uint64_t of, int socket, Endpoint& endpoint)
      : number(of), fd(socket), at(endpoint), reader(endpoint.name) {}

  const std::uint64_t number;
  const int fd;
  Endpoint& at;
  RequestReader reader;
  std::optional<Writing> writing;
  bool waits = false;    // for a timer or for `release`
  bool blocked = false;  // until the socket is writable
  bool held = false;
  bool early = false;  // what comes next was answered already
};

struct Statistics {
  std::uint64_t requests = 0;
  std::uint64_t body_bytes = 0;
  std::uint64_t accepted = 0;
  std::uint64_t answered = 0;
  std::uint64_t violations = 0;
  std::uint64_t cut = 0;  // connections that ended in a request
  std::string first_violation;
};

/// Endpoints on one event loop. Every byte that comes is looked at: RequestReader says what may come; and
/// nothing may come on a connection before the answer to the request before it is out.
class Server {
 public:
  Server();
  /// NAME=ADDRESS:PORT or NAME=[ADDRESS]:PORT.
  void listen(const std::string& spelled);
  /// Until standard input ends; each line is a command, answered by a line.
  void run();
  /// {"name": port, ...}
  [[nodiscard]] std::string ports() const;

 private:
  using Command = std::string (Server::*)(const std::vector<std::string>&);
  struct Named {
    std::string_view name;
    Command command;
  };
  static const Named commands[];

  bool obey();
  std::string answer_command(const std::string& line);
  std::string show_statistics(const std::vector<std::string>& words);
  std::string set_mode(const std::vector<std::string>& words);
  std::string release(const std::vector<std::string>& words);
  std::string shout(const std::vector<std::string>& words);
  std::string end_all(const std::vector<std::string>& words);

  void handle(std::uint64_t number, std::uint32_t events);
  void accept(Endpoint& endpoint);
  void receive(Connection& connection);
  void take_requests(Connection& connection);
  void begin(Connection& connection, Answer answer);
  void answer_early(Connection& connection);
  void write(Connection& connection);
  void finish_writing(Connection& connection);
  void watch(Connection& connection);
  void violation(Connection& connection, const std::string& why);
  void close(Connection& connection, bool reset);
  void run_timers();
  void note_open();
  [[nodiscard]] int patience() const;

  int epoll_ = -1;
  std::vector<std::unique_ptr<Endpoint>> endpoints_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Connection>> connections_;
  std::multimap<std::uint64_t, std::uint64_t> timers_;  // milliseconds, connection
  std::vector<std::uint64_t> unfinished_;               // had their share of writes in this round
  std::uint64_t last_number_ = 0;
  std::string input_;
  Statistics statistics_;
};

}  // namespace heddle::fast_path
