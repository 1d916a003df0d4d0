// Clients whose answers lie unread for a while, and whose requests lie unread at servers that the test makes deaf: together far
// more than tcp_mem allows. A connection may end then. What comes on one that has not ended has to be right: every byte of it, in
// the order of the requests.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <thread>

#include "tests/e2e/fast_path/client/wire.h"
#include "tests/matrix/guest_client/modes.h"

namespace heddle::matrix {

namespace {

using fast_path::Draw;
using fast_path::Reply;
using fast_path::Wire;

/// A request and what its answer has to be.
struct Asked {
  std::string target;
  std::uint64_t size = 0;  // of the body that is pattern; 0: text
};

struct Result {
  std::mutex mutex;
  std::uint64_t right = 0;
  std::uint64_t ended = 0;   // connections, with an answer owed
  std::uint64_t refused = 0; // by the mesh: 5xx
  std::uint64_t silent = 0;  // longer than any timeout
  std::uint64_t wrong = 0;
  std::string first;

  void note(std::uint64_t& counter, const std::string& what = {}) {
    const std::lock_guard lock(mutex);
    ++counter;
    if (first.empty()) first = what;
  }
};

class Client {
 public:
  Client(std::uint64_t seed, Result& result) : seed_(seed), draw_(seed), result_(result) {}

  void run(double end) {
    while (fast_path::now_seconds() < end) {
      if (!wire_.open() && !warm_up()) {
        wire_.close();
        pause(100);
        continue;
      }
      if (!round()) wire_.close();
    }
  }

 private:
  /// The fast path needs to have met the client, and both endpoints a link.
  bool warm_up() {
    if (!wire_.connect()) return false;
    for (int i = 0; i < 4; ++i) {
      if (!ask(i % 2 == 0 ? "v1" : "v2", 0) || !read(asked_)) return false;
    }
    return true;
  }

  static void pause(std::uint32_t milliseconds) {
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
  }

  /// One or two requests, sleep, and their answers. False: the connection is of no use any more.
  bool round() {
    const char* const endpoint = draw_.below(4) == 0 ? "v2" : "v1";
    const std::uint64_t size = draw_.below(4) == 0 ? draw_.below(2000) : 60'000 + draw_.below(240'000);
    const std::uint64_t body = draw_.below(3) == 0 ? 1 + draw_.below(60'000) : 0;
    if (!ask(endpoint, size, body)) return lost();
    const Asked first = asked_;
    const bool pair = draw_.below(4) == 0;
    if (pair && !ask(endpoint[1] == '1' ? "v2" : "v1", draw_.below(3000))) return lost();
    const Asked second = asked_;
    if (size > 2000) pause(500 + draw_.below(3500));
    return read(first) && (!pair || read(second));
  }

  bool lost() {
    result_.note(result_.ended);
    return false;
  }

  bool ask(const std::string& endpoint, std::uint64_t size, std::uint64_t body = 0) {
    asked_ = {"/" + endpoint, size};
    if (size == 0) asked_.target += "/echo/";
    else if (draw_.below(4) == 0 && size < 30'000) asked_.target += "/pieces/700/" + std::to_string(size) + "/";
    else asked_.target += "/size/" + std::to_string(size) + "/";
    asked_.target += std::to_string(seed_) + "-" + std::to_string(++number_);
    return wire_.send(body != 0 ? fast_path::post(asked_.target, body) : fast_path::get(asked_.target));
  }

  bool read(const Asked& asked) {
    Reply reply;
    const Wire::Outcome outcome = wire_.read(reply);
    const bool of_server = !reply.target.empty();
    const bool torn = of_server && asked.size != 0 && !reply.pattern;
    if (outcome == Wire::Outcome::nonsense || torn || (of_server && reply.target != asked.target))
      result_.note(result_.wrong, std::string(fast_path::name_of(outcome)) + " to " + asked.target + ": " + reply.target +
                                      ", body right up to " + std::to_string(reply.size));
    else if (outcome == Wire::Outcome::silence)
      result_.note(result_.silent, "silence after " + asked.target + " from byte " + std::to_string(reply.size));
    else if (outcome != Wire::Outcome::reply)
      result_.note(result_.ended);
    else if (!of_server && reply.status >= 500)
      result_.note(result_.refused);
    else if (reply.status != 200 || reply.target != asked.target || (asked.size != 0 && reply.size != asked.size))
      result_.note(result_.wrong, std::to_string(reply.status) + " to " + asked.target + " with " + std::to_string(reply.size));
    else {
      result_.note(result_.right);
      return true;
    }
    return outcome == Wire::Outcome::reply;
  }

  const std::uint64_t seed_;
  Draw draw_;
  Result& result_;
  Wire wire_;
  Asked asked_;
  std::uint64_t number_ = 0;
};

}  // namespace

int pressure(const Arguments& arguments) {
  const std::uint64_t clients = std::strtoull(arguments[0].c_str(), nullptr, 10);
  const double end = fast_path::now_seconds() + std::atof(arguments[1].c_str());
  Result result;
  std::vector<std::thread> threads;
  for (std::uint64_t i = 0; i < clients; ++i) threads.emplace_back([i, end, &result] { Client(i + 1, result).run(end); });
  for (std::thread& thread : threads) thread.join();
  std::printf("right %lu\nended %lu\nrefused %lu\nsilent %lu\nwrong %lu\nfirst %s\n", result.right, result.ended,
              result.refused, result.silent, result.wrong, result.first.c_str());
  return 0;
}

}  // namespace heddle::matrix
