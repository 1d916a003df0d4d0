#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace heddle::fast_path {

/// 4, 6 or mapped: how the service is dialled.
void choose_family(std::string_view family);

struct Reply {
  int status = 0;
  std::string target;    // of the request that the server answered
  std::string endpoint;  // that answered; empty: the mesh
  std::string rule;
  std::uint64_t size = 0;  // of the body
  bool pattern = true;     // the body is the pattern as far as it came
};

/// A client's connection to the service `echo`, blocking.
class Wire {
 public:
  enum class Outcome { reply, ended, reset, silence, nonsense };

  Wire() = default;
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;
  ~Wire() { close(); }

  /// False: the connection was refused.
  bool connect();
  /// Ends the connection, and makes another with the same socket.
  bool connect_again();
  void close();
  void close_with_reset();
  void end_of_requests();
  bool send(std::string_view bytes, int flags = 0);
  /// The next final response.
  Outcome read(Reply& reply, bool to_head = false);
  /// As long as nothing was read of the responses.
  [[nodiscard]] std::uint32_t unread_memory() const;

  /// Of the client's end.
  [[nodiscard]] std::uint16_t own_port() const;
  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] bool open() const { return fd_ >= 0; }
  [[nodiscard]] std::string_view rest() const { return in_; }

 private:
  bool dial();
  Outcome fill();
  Outcome read_head(Reply& reply, std::map<std::string, std::string>& fields);
  Outcome read_body(Reply& reply, std::uint64_t size);
  Outcome read_chunks(Reply& reply);
  Outcome read_line(std::string& line);

  int fd_ = -1;
  std::string in_;
};

std::string get(std::string_view target, std::string_view fields = {});
std::string post(std::string_view target, std::uint64_t size, std::string_view fields = {});

double now_seconds();
const char* name_of(Wire::Outcome outcome);

/// A cheap source of numbers: the same for the same seed.
class Draw {
 public:
  explicit Draw(std::uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15 + 1) {}
  std::uint32_t below(std::uint32_t bound) {
    state_ = state_ * 6364136223846793005 + 1442695040888963407;
    return static_cast<std::uint32_t>((state_ >> 33) % bound);
  }

 private:
  std::uint64_t state_;
};

}  // namespace heddle::fast_path
