// Two requests to two servers, the second a moment after the first: their answers have to come in this order.
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "tests/e2e/fast_path/client/modes.h"
#include "tests/e2e/fast_path/client/wire.h"

namespace heddle::fast_path {

namespace {

struct Result {
  std::mutex mutex;
  std::uint64_t pairs = 0;
  std::uint64_t misordered = 0;
  std::uint64_t failed = 0;
  std::string first;
};

void spin(double seconds) {
  const double end = now_seconds() + seconds;
  while (now_seconds() < end) {
  }
}

/// True: both answers came; `misordered` says whether as they should.
bool exchange(Wire& wire, std::uint64_t number, double pause, bool& misordered, std::string& what) {
  // Long and short answers, of the same and of different servers.
  constexpr const char* paths[] = {"/v1/echo/", "/v2/echo/", "/v1/size/3000/", "/v2/size/70000/",
                                   "/v1/chunked/500/"};
  constexpr unsigned orders[][2] = {{0, 1}, {1, 0}, {0, 1}, {1, 0}, {2, 1}, {3, 0}, {0, 0}, {4, 1}};
  const auto& order = orders[number % std::size(orders)];
  const std::string targets[] = {paths[order[0]] + std::to_string(number),
                                 paths[order[1]] + std::to_string(number + 1)};
  if (!wire.send(get(targets[0]))) return false;
  spin(pause);
  if (!wire.send(get(targets[1]))) return false;
  for (const std::string& target : targets) {
    Reply reply;
    const Wire::Outcome outcome = wire.read(reply);
    if (outcome == Wire::Outcome::reply && reply.target == target) continue;
    what = std::string(name_of(outcome)) + " to " + target + ": " + reply.target;
    misordered = outcome == Wire::Outcome::reply || outcome == Wire::Outcome::nonsense;
    return false;
  }
  return true;
}

void run_client(std::uint64_t seed, std::uint64_t count, std::uint32_t microseconds, Result& result) {
  Wire wire;
  Draw draw(seed);
  for (std::uint64_t number = 0; number < count; ++number) {
    if (!wire.open() && !wire.connect()) continue;
    bool misordered = false;
    std::string what;
    const bool whole =
        exchange(wire, number * 2 + (seed << 32), draw.below(microseconds) / 1e6, misordered, what);
    const std::lock_guard lock(result.mutex);
    ++result.pairs;
    if (whole) continue;
    wire.close();
    ++(misordered ? result.misordered : result.failed);
    if (result.first.empty()) result.first = what;
  }
}

}  // namespace

int pairs(const Arguments& arguments) {
  const std::uint64_t clients = std::strtoull(arguments[0].c_str(), nullptr, 10);
  const std::uint64_t count = std::strtoull(arguments[1].c_str(), nullptr, 10);
  const auto microseconds = static_cast<std::uint32_t>(std::atoi(arguments[2].c_str()));
  Result result;
  std::vector<std::thread> threads;
  for (std::uint64_t i = 0; i < clients; ++i)
    threads.emplace_back([&, i] { run_client(i + 1, count / clients, microseconds, result); });
  for (std::thread& thread : threads) thread.join();
  std::printf("{\"pairs\": %lu, \"misordered\": %lu, \"failed\": %lu, \"first\": \"%s\"}\n", result.pairs,
              result.misordered, result.failed, result.first.c_str());
  return 0;
}

}  // namespace heddle::fast_path
