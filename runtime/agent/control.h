#pragma once

#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "runtime/agent/loop.h"
#include "runtime/base/fd.h"
#include "runtime/base/result.h"

namespace heddle::agent {

/// The socket that `heddle status`, `reload`, `exec` and `detach` talk to: one line of JSON, then `size`
/// bytes if the line says so; one line of JSON as the answer; then the connection ends.
class Control {
 public:
  using Json = nlohmann::json;
  /// Answers a request; `payload` is what came after its line.
  using Handle = std::function<Json(const Json& request, std::span<const std::byte> payload)>;

  /// 0660 and of the group `heddle`, if there is one. A socket that nobody listens to any more is replaced.
  static Result<std::unique_ptr<Control>> listen(Loop& loop, const std::string& path, Handle handle);
  ~Control();

  /// An error as clients get it.
  static Json failure(const Error& error);

 private:
  struct Client {
    UniqueFd fd;
    std::string line;
    std::vector<std::byte> payload;
    Json request;
    std::size_t expected = 0;
    bool has_line = false;
  };

  Control(Loop& loop, std::string path, UniqueFd listener, Handle handle)
      : loop_(loop), path_(std::move(path)), listener_(std::move(listener)), handle_(std::move(handle)) {}
  void accept();
  void read(int fd);
  /// False: the client is of no use any more.
  bool take(Client& client, std::span<const char> bytes);
  bool begin(Client& client);
  void answer(Client& client, const Json& answer);

  Loop& loop_;
  std::string path_;
  UniqueFd listener_;
  Handle handle_;
  std::map<int, Client> clients_;
};

}  // namespace heddle::agent
