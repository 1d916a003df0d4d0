// What the running kernel's verifier says to every program that is attached, whatever the policy: those of a policy are in
// `heddle build --verify`.
#include <bpf/bpf.h>
#include <gtest/gtest.h>

#include <cstdio>

#include "runtime/loader/state.h"
#include "tests/kernel/scratch.h"

namespace heddle::test {
namespace {

constexpr std::uint32_t budget = 200'000;

TEST(Budget, OfEveryHook) {
  if (!privileged()) return;
  const bool traces = loader::State::can_trace();
  Result<loader::State> state = loader::State::make_for_trial(traces);
  ASSERT_TRUE(state) << state.error().what;
  std::size_t traced = 0;
  for (const loader::State::Trampoline& program : state->trampolines()) {
    bpf_prog_info info{};
    std::uint32_t size = sizeof(info);
    ASSERT_EQ(bpf_obj_get_info_by_fd(program.fd, &info, &size), 0) << program.name;
    constexpr std::uint32_t instruction_bytes = 8;
    std::printf("verified: %-24s %7u %7u %5u\n", program.name.c_str(), info.verified_insns, info.xlated_prog_len / instruction_bytes, 0U);
    EXPECT_GT(info.verified_insns, 0U) << program.name;
    EXPECT_LT(info.verified_insns, budget) << program.name;
    traced += program.place == loader::State::Place::trace ? 1 : 0;
  }
  EXPECT_EQ(traced, traces ? 1U : 0U);
  // Both connects, both addresses, what is born and dies, clients, servers, and what the handler asks.
  EXPECT_GE(state->trampolines().size(), 8U);
}

}  // namespace
}  // namespace heddle::test
