// Keep-alive clients, a thread each, that know what each answer has to be.
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <thread>

#include "tests/e2e/fast_path/client/modes.h"
#include "tests/e2e/fast_path/client/wire.h"

namespace heddle::fast_path {

namespace {

std::atomic<bool> told_to_stop = false;

struct Shape {
  const char* method;
  const char* path;    // behind the endpoint
  std::uint64_t body;  // of the request
  std::int64_t size;   // of the response, if it is pattern; -1: text
};

constexpr Shape small[] = {
    {"GET", "echo", 0, -1},        {"GET", "size/0", 0, 0},     {"GET", "size/1000", 0, 1000},
    {"POST", "echo", 300, -1},     {"HEAD", "size/50", 0, 0},   {"GET", "size/65536", 0, 65536},
    {"POST", "size/10", 9000, 10}, {"GET", "status/204", 0, 0},
};
constexpr Shape all[] = {
    {"GET", "echo", 0, -1},
    {"GET", "size/1000", 0, 1000},
    {"POST", "echo", 300, -1},
    {"GET", "size/65536", 0, 65536},
    {"GET", "size/2000000", 0, 2'000'000},
    {"GET", "chunked/30000", 0, 30000},
    {"POST", "echo", 200'000, -1},
    {"GET", "pieces/100/5000", 0, 5000},
    {"GET", "interim/1", 0, -1},
    {"HEAD", "echo", 0, 0},
    {"GET", "slow/2", 0, -1},
};
constexpr Shape one[] = {{"GET", "echo", 0, -1}};

struct Mix {
  std::string_view name;
  const Shape* shapes;
  std::uint32_t count;
  const char* const* endpoints;
  std::uint32_t endpoint_count;
};

constexpr const char* by_path[] = {"v1", "v2"};
constexpr const char* balanced[] = {"any"};
constexpr const char* every[] = {"v1", "v2", "v3", "any"};
constexpr Mix mixes[] = {
    {"small", small, std::size(small), by_path, std::size(by_path)},
    {"balanced", small, std::size(small), balanced, std::size(balanced)},
    {"all", all, std::size(all), every, std::size(every)},
    {"one", one, std::size(one), by_path, 1},
};

struct Result {
  std::mutex mutex;
  std::map<std::string, std::uint64_t> seen;  // status, endpoint and rule -> answers
  std::uint64_t answers = 0;
  std::uint64_t wrong = 0;
  std::uint64_t failed = 0;   // connections that ended without an answer
  std::uint64_t refused = 0;  // connections
  double slowest = 0;
  std::string first;
};

/// With the time of CLOCK_MONOTONIC, for those who compare it with what they did.
void note_wrong(Result& result, const Wire& wire, const std::string& what) {
  const std::lock_guard lock(result.mutex);
  ++result.wrong;
  std::fprintf(stderr, "%.3f port %u: %s\n", now_seconds(), wire.own_port(), what.c_str());
  if (result.first.empty()) result.first = what;
}

/// One request and its answer; false: the connection is no more.
bool exchange(Wire& wire, const Mix& mix, Draw& draw, std::uint64_t number, Result& result,
              std::map<std::string, std::uint64_t>& seen) {
  const Shape& shape = mix.shapes[draw.below(mix.count)];
  const std::string endpoint = mix.endpoints[draw.below(mix.endpoint_count)];
  const std::string target = "/" + endpoint + "/" + shape.path + "/" + std::to_string(number);
  const bool to_head = std::string_view(shape.method) == "HEAD";
  std::string text = shape.body != 0 ? post(target, shape.body) : get(target);
  if (shape.body == 0) text.replace(0, 3, shape.method);
  const double begin = now_seconds();
  Reply reply;
  Wire::Outcome outcome = Wire::Outcome::reset;
  if (wire.send(text)) outcome = wire.read(reply, to_head);
  if (outcome != Wire::Outcome::reply) {
    if (outcome == Wire::Outcome::nonsense || outcome == Wire::Outcome::silence)
      note_wrong(result, wire, std::string(name_of(outcome)) + " to " + target);
    const std::lock_guard lock(result.mutex);
    ++result.failed;
    if (result.first.empty()) result.first = std::string(name_of(outcome)) + " to " + target;
    return false;
  }
  const double taken = now_seconds() - begin;
  ++seen[std::to_string(reply.status) + " " + reply.endpoint + " " + reply.rule];
  if (reply.status < 300) {
    const bool right =
        reply.target == target && (endpoint == "any" || reply.endpoint == endpoint) &&
        (shape.size < 0 || (reply.pattern && reply.size == static_cast<std::uint64_t>(shape.size)));
    if (!right)
      note_wrong(result, wire, "to " + target + " the answer to " + reply.target + " of " + reply.endpoint);
  } else if (!reply.target.empty()) {
    note_wrong(result, wire, "an answer " + std::to_string(reply.status) + " to " + reply.target);
  }
  const std::lock_guard lock(result.mutex);
  ++result.answers;
  if (taken > result.slowest) result.slowest = taken;
  return true;
}

void run_client(std::uint64_t which, const Mix& mix, double end, Result& result) {
  Wire wire;
  Draw draw(which);
  std::map<std::string, std::uint64_t> seen;
  for (std::uint64_t number = which << 32; !told_to_stop && now_seconds() < end; ++number) {
    if (!wire.open() && !wire.connect()) {
      const std::lock_guard lock(result.mutex);
      ++result.refused;
      std::this_thread::yield();
      continue;
    }
    if (!exchange(wire, mix, draw, number, result, seen)) wire.close();
  }
  const std::lock_guard lock(result.mutex);
  for (const auto& [key, count] : seen) result.seen[key] += count;
}

}  // namespace

/// Until the time is over, or SIGINT.
int load(const Arguments& arguments) {
  std::signal(SIGINT, [](int) { told_to_stop = true; });
  const auto connections = std::strtoull(arguments[0].c_str(), nullptr, 10);
  const double end = now_seconds() + std::atof(arguments[1].c_str());
  if (arguments.size() > 3) choose_family(arguments[3]);
  for (const Mix& mix : mixes) {
    if (mix.name != arguments[2]) continue;
    Result result;
    std::vector<std::thread> threads;
    for (std::uint64_t i = 0; i < connections; ++i)
      threads.emplace_back([i, &mix, end, &result] { run_client(i + 1, mix, end, result); });
    for (std::thread& thread : threads) thread.join();
    std::printf(
        "{\"answers\": %lu, \"wrong\": %lu, \"failed\": %lu, \"refused\": %lu, \"slowest\": %.3f, \"first\": "
        "\"%s\", \"seen\": {",
        result.answers, result.wrong, result.failed, result.refused, result.slowest, result.first.c_str());
    const char* separator = "";
    for (const auto& [key, count] : result.seen) {
      std::printf("%s\"%s\": %lu", separator, key.c_str(), count);
      separator = ", ";
    }
    std::puts("}}");
    return 0;
  }
  std::fprintf(stderr, "no mix %s\n", arguments[2].c_str());
  return 2;
}

}  // namespace heddle::fast_path
