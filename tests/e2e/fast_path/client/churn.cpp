// Connections that do not last: one to three requests, and every way to end.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "tests/e2e/fast_path/client/modes.h"
#include "tests/e2e/fast_path/client/wire.h"

namespace heddle::fast_path {

namespace {

struct Result {
  std::atomic<std::uint64_t> begun = 0;
  std::atomic<std::uint64_t> answers = 0;
  std::atomic<std::uint64_t> wrong = 0;
  std::atomic<std::uint64_t> refused = 0;
  std::mutex mutex;
  std::string first;
};

void note(Result& result, const std::string& what) {
  ++result.wrong;
  const std::lock_guard lock(result.mutex);
  if (result.first.empty()) result.first = what;
}

/// False: something was wrong.
bool run_requests(Wire& wire, Draw& draw, std::uint64_t number, Result& result) {
  const std::uint32_t requests = 1 + draw.below(3);
  for (std::uint32_t i = 0; i < requests; ++i) {
    const std::string target = (draw.below(2) != 0 ? "/v1/size/" : "/v2/size/") +
                               std::to_string(draw.below(2000)) + "/" + std::to_string(number * 4 + i);
    Reply reply;
    wire.send(get(target));
    const Wire::Outcome outcome = wire.read(reply);
    if (outcome != Wire::Outcome::reply || reply.target != target || !reply.pattern) {
      note(result, std::string(name_of(outcome)) + " to " + target + ": " + reply.target);
      return false;
    }
    ++result.answers;
  }
  return true;
}

void run_connection(Wire& wire, Draw& draw, std::uint64_t number, Result& result) {
  if (!wire.connect()) {
    ++result.refused;
    return;
  }
  if (!run_requests(wire, draw, number, result)) return;
  // Another connection of the same socket; what is left of the first one must not be seen there.
  if (draw.below(6) == 0) {
    if (draw.below(2) == 0) wire.send(get("/v1/size/5000/left"));
    if (!wire.connect_again()) {
      ++result.refused;
      return;
    }
    if (!run_requests(wire, draw, number, result)) return;
  }
  // Ends: in order, with a reset, with a request under way, in the middle of a head, half closed.
  switch (draw.below(6)) {
    case 0:
      return wire.close_with_reset();
    case 1:
      wire.send(get("/v1/size/5000/left"));
      return wire.close_with_reset();
    case 2:
      wire.send(get("/v1/size/300000/left"));
      return wire.close();
    case 3:
      wire.send("GET /v1/echo/half HTT");
      return wire.close();
    case 4: {
      const std::string target = "/v1/size/3000/half-closed" + std::to_string(number);
      wire.send(get(target));
      wire.end_of_requests();
      Reply reply;
      const Wire::Outcome outcome = wire.read(reply);
      if (outcome != Wire::Outcome::reply || reply.target != target || reply.size != 3000)
        note(result, std::string(name_of(outcome)) + " to " + target + ": " + reply.target);
      return wire.close();
    }
    default:
      return wire.close();
  }
}

}  // namespace

int churn(const Arguments& arguments) {
  const std::uint64_t clients = std::strtoull(arguments[0].c_str(), nullptr, 10);
  const std::uint64_t count = std::strtoull(arguments[1].c_str(), nullptr, 10);
  Result result;
  std::vector<std::thread> threads;
  for (std::uint64_t i = 0; i < clients; ++i) {
    threads.emplace_back([&, i] {
      Draw draw(i + 1);
      Wire wire;
      for (std::uint64_t number = 0; (number = result.begun++) < count;)
        run_connection(wire, draw, number, result);
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::printf(
      "{\"connections\": %lu, \"answers\": %lu, \"wrong\": %lu, \"refused\": %lu, \"first\": \"%s\"}\n",
      count, result.answers.load(), result.wrong.load(), result.refused.load(), result.first.c_str());
  return 0;
}

}  // namespace heddle::fast_path
