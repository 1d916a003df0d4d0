// bench_decide FILE: what a decision costs by several bundles, in turn. The kernel's own account of the time in the program is taken
// (BPF_ENABLE_STATS): what it takes to hand requests over does not count. Every decision is compared with what it has to be.
//
//   FILE: {"rounds": 5, "ms": 300, "sides": [{"bundle": "a.bundle", "destination": [10, 96, 0, 1], "requests": [{"head": "GET …", "rule": "route s/1"}]}]}
//   output: {"ns": [[per request, by round], …]}, a list for each side
#include <bpf/bpf.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "runtime/loader/decide_session.h"

namespace heddle::bench {
namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "bench_decide: %s\n", what.c_str());
  std::exit(1);
}

template <typename T>
T required(Result<T> result) {
  if (!result) fail(result.error().what);
  return std::move(result).value();
}

/// One bundle, and the requests that it decides.
class Side {
 public:
  explicit Side(const nlohmann::json& side)
      : session_(required(loader::DecideSession::make(required(bundle::open_file(side.at("bundle").get<std::string>()))))) {
    for (const nlohmann::json& request : side.at("requests")) {
      heads_.push_back(request.at("head"));
      rules_.push_back(request.at("rule"));
    }
    loader::SocketAddress destination;
    destination.address[10] = destination.address[11] = 0xff;
    const auto address = side.at("destination").get<std::array<std::uint8_t, 4>>();
    std::copy(address.begin(), address.end(), destination.address.begin() + 12);
    destination.port = 80;
    for (const std::string& head : heads_) {
      loader::DecideInput input;
      input.workload = 0;
      input.destination = destination;
      input.head = head;
      inputs_.push_back(input);
    }
  }

  /// Nanoseconds of the program for each request.
  double measure(Clock::duration time) {
    check();
    const bpf_prog_info before = info();
    const Clock::time_point end = Clock::now() + time;
    std::uint64_t requests = 0;
    while (Clock::now() < end) requests += decide().size();
    return static_cast<double>(info().run_time_ns - before.run_time_ns) / static_cast<double>(requests);
  }

 private:
  std::vector<hd_decision> decide() {
    std::vector<hd_decision> decisions = required(session_.decide(inputs_));
    session_.end_all();
    return decisions;
  }

  void check() {
    const std::vector<hd_decision> decisions = decide();
    for (std::size_t i = 0; i < decisions.size(); ++i) {
      const std::string rule = session_.rule_id(decisions[i].rule);
      if (rule != rules_[i]) fail("decided by " + rule + ", not by " + rules_[i] + ":\n" + heads_[i]);
    }
  }

  [[nodiscard]] bpf_prog_info info() const {
    bpf_prog_info info{};
    std::uint32_t size = sizeof info;
    if (bpf_obj_get_info_by_fd(session_.program(), &info, &size) != 0) fail("the kernel tells nothing of the program");
    return info;
  }

  loader::DecideSession session_;
  std::vector<std::string> heads_;
  std::vector<std::string> rules_;
  std::vector<loader::DecideInput> inputs_;
};

int run(const char* path) {
  std::ifstream file(path);
  const nlohmann::json plan = nlohmann::json::parse(file);
  const int stats = bpf_enable_stats(BPF_STATS_RUN_TIME);
  if (stats < 0) fail("the kernel does not measure programs (bpf_enable_stats)");
  std::vector<Side> sides;
  for (const nlohmann::json& side : plan.at("sides")) sides.emplace_back(side);
  std::vector<std::vector<double>> measured(sides.size());
  for (int round = 0; round < plan.at("rounds").get<int>(); ++round) {
    for (std::size_t i = 0; i < sides.size(); ++i)
      measured[i].push_back(sides[i].measure(std::chrono::milliseconds(plan.at("ms").get<int>())));
  }
  std::puts(nlohmann::json{{"ns", measured}}.dump().c_str());
  return 0;
}

}  // namespace
}  // namespace heddle::bench

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: bench_decide FILE\n", stderr);
    return 2;
  }
  return heddle::bench::run(argv[1]);
}
