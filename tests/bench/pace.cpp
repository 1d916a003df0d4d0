// bench_pace: HTTP/1.1 requests at a fixed rate, each due at a time that was fixed before the run. A latency
// counts from when its request was due, also where the connection was still busy then: a server that stalls
// cannot make its own stall invisible. Every response is compared with what it has to be.
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/bench/pace_connection.h"

namespace heddle::bench {
namespace {

constexpr std::uint64_t second = 1'000'000'000;

struct Options {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;
  unsigned connections = 1;
  double rate = 0;       // of all connections together, per second
  double seconds = 1;    // that are measured
  double warm_up = 0.2;  // seconds before, at the same rate
  double patience = 2;   // seconds after, for answers that are late
  unsigned spin_us = 0;  // awake that long before a request is due: waking up would count as latency
  std::string request;   // file with its bytes
  std::vector<std::string> bodies;  // files; a response is one of them
};

/// CPU seconds that this machine has used since it started, of all CPUs: what was neither idle nor stolen.
double machine_seconds() {
  std::ifstream stat("/proc/stat");
  std::string name;
  double user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, soft = 0, steal = 0;
  stat >> name >> user >> nice >> system >> idle >> wait >> irq >> soft >> steal;
  // The idle time is exact, the rest is counted by ticks: the used time is what the idle time leaves.
  const double cpus = static_cast<double>(sysconf(_SC_NPROCESSORS_ONLN));
  const double ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  return cpus * static_cast<double>(now_ns()) / 1e9 - (idle + wait + steal) / ticks;
}

class Run {
 public:
  Run(const Options& options, Expected expected) : options_(options), expected_(std::move(expected)) {
    const auto count = options.connections;
    for (unsigned i = 0; i < count; ++i) connections_.emplace_back(options.address, options.port, expected_);
    ready_.resize(count);
    for (unsigned i = 0; i < count; ++i) {
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.u32 = i;
      if (epoll_ctl(epoll_, EPOLL_CTL_ADD, connections_[i].fd(), &event) != 0) fail("epoll_ctl");
    }
    interval_ = static_cast<std::uint64_t>(1e9 / options.rate);
    measured_from_ = now_ns() + static_cast<std::uint64_t>(options.warm_up * 1e9);
    measured_until_ = measured_from_ + static_cast<std::uint64_t>(options.seconds * 1e9);
    latencies_.reserve(static_cast<std::size_t>(options.rate * options.seconds) + 1);
  }

  nlohmann::json measure() {
    std::uint64_t due = now_ns();
    const std::uint64_t give_up = measured_until_ + static_cast<std::uint64_t>(options_.patience * 1e9);
    std::size_t next = 0;
    double cpu_before = 0;
    double cpu_after = 0;
    std::uint64_t answered_at_end = 0;
    while (true) {
      std::uint64_t now = now_ns();
      if (cpu_before == 0 && now >= measured_from_) cpu_before = machine_seconds();
      if (cpu_after == 0 && now >= measured_until_) {
        cpu_after = machine_seconds();
        answered_at_end = latencies_.size();
      }
      for (; due <= now && due < measured_until_; due += interval_) {
        connections_[next].ask_at(due);
        next = (next + 1) % connections_.size();
        ++sent_;
        if (due >= measured_from_) ++asked_;
      }
      const bool ended = due >= measured_until_;
      if (cpu_after != 0 && ended && (waiting() == 0 || now >= give_up)) break;
      wait(ended ? now + second / 1000 : due, now);
    }
    return report(cpu_after - cpu_before, answered_at_end);
  }

 private:
  [[nodiscard]] std::size_t waiting() const {
    std::size_t sum = 0;
    for (const Connection& each : connections_) sum += each.waiting();
    return sum;
  }

  /// Until something came, or `until`.
  void wait(std::uint64_t until, std::uint64_t now) {
    const std::uint64_t wanted = static_cast<std::uint64_t>(options_.spin_us) * 1000;
    const std::uint64_t spin = interval_ > 2 * wanted ? wanted : 0;
    const std::uint64_t sleep = until > now + spin ? until - now - spin : 0;
    const timespec limit = {static_cast<time_t>(sleep / second), static_cast<long>(sleep % second)};
    const int count = epoll_pwait2(epoll_, ready_.data(), static_cast<int>(ready_.size()), &limit, nullptr);
    for (int i = 0; i < count; ++i) {
      connections_[ready_[static_cast<std::size_t>(i)].data.u32].receive(
          [this](std::uint64_t due, std::uint64_t end) {
            if (due >= measured_from_) latencies_.push_back(end - due);
          });
    }
  }

  nlohmann::json report(double cpu, std::uint64_t in_time) {
    // Who never got an answer waited at least until now.
    const std::uint64_t end = now_ns();
    const std::size_t unanswered = waiting();
    for (const Connection& each : connections_) {
      each.for_each_waiting([&](std::uint64_t due) {
        if (due >= measured_from_) latencies_.push_back(end - due);
      });
    }
    std::sort(latencies_.begin(), latencies_.end());
    const auto quantile = [this](double part) {
      const auto place = static_cast<std::size_t>(part * static_cast<double>(latencies_.size()));
      return static_cast<double>(latencies_[std::min(place, latencies_.size() - 1)]) / 1000;
    };
    if (latencies_.empty()) fail("no request was measured");
    return {{"sent", sent_},
            {"asked", asked_},
            {"answered_in_time", in_time},
            {"unanswered", unanswered},
            {"cpu_seconds", cpu},
            {"p50_us", quantile(0.5)},
            {"p99_us", quantile(0.99)},
            {"p999_us", quantile(0.999)}};
  }

  const Options& options_;
  Expected expected_;
  std::vector<Connection> connections_;
  const int epoll_ = epoll_create1(EPOLL_CLOEXEC);
  std::vector<epoll_event> ready_;
  std::vector<std::uint64_t> latencies_;
  std::uint64_t interval_ = 0;
  std::uint64_t measured_from_ = 0;
  std::uint64_t measured_until_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t asked_ = 0;  // of them, those that are measured
};

int run(int count, char** arguments) {
  Options options;
  CLI::App app("HTTP/1.1 requests at a fixed rate");
  app.add_option("--address", options.address);
  app.add_option("--port", options.port)->required();
  app.add_option("--connections", options.connections)->check(CLI::Range(1, 4096));
  app.add_option("--rate", options.rate)->required()->check(CLI::PositiveNumber);
  app.add_option("--seconds", options.seconds)->check(CLI::PositiveNumber);
  app.add_option("--warm-up", options.warm_up);
  app.add_option("--patience", options.patience);
  app.add_option("--spin-us", options.spin_us);
  app.add_option("--request", options.request)->required()->check(CLI::ExistingFile);
  app.add_option("--body", options.bodies)->required()->check(CLI::ExistingFile);
  CLI11_PARSE(app, count, arguments);

  prctl(PR_SET_TIMERSLACK, 1);
  Expected expected{read_file(options.request), {}};
  for (const std::string& body : options.bodies) expected.bodies.push_back(read_file(body));
  std::puts(Run(options, std::move(expected)).measure().dump().c_str());
  return 0;
}

}  // namespace
}  // namespace heddle::bench

int main(int count, char** arguments) {
  return heddle::bench::run(count, arguments);
}
