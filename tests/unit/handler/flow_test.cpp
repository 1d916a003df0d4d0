#include "runtime/handler/flow.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace heddle::handler {
namespace {

using Taking = Flow::Taking;

constexpr std::uint64_t id = std::uint64_t{7} << 32 | 2;
constexpr std::uint64_t base = std::uint64_t{7} << 32 | 5 << 8;  // its fifth request

class FlowTest : public testing::Test {
 protected:
  FlowTest() {
    record.ends = HD_FLOW_CLIENT | HD_FLOW_HANDLER;
    record.state = base | HD_FLOW_TAKEN;
  }
  void set(std::uint64_t state) { record.state = base | state; }

  hd_flow record{};
  Flow flow{record, id};
};

TEST_F(FlowTest, IsArmedWithItsCounts) {
  EXPECT_TRUE(flow.arm(0x1'0000'0003, 0x2'0000'0005));
  EXPECT_EQ(record.state, base | HD_FLOW_ARMED);
  EXPECT_EQ(record.counts, std::uint64_t{5} << 32 | 3);
}

TEST_F(FlowTest, IsArmedOnlyByWhoHasIt) {
  for (const hd_flow_state state : {HD_FLOW_ARMED, HD_FLOW_SENT, HD_FLOW_ANSWERING, HD_FLOW_DONE,
                                    HD_FLOW_SPILL, HD_FLOW_FRAMED, HD_FLOW_BROKEN}) {
    set(state);
    EXPECT_FALSE(flow.arm(1, 1)) << state;
    EXPECT_EQ(record.state, base | state);
    EXPECT_EQ(record.counts, 0U);
  }
}

TEST_F(FlowTest, Taking) {
  const std::pair<hd_flow_state, Taking> cases[] = {
      {HD_FLOW_TAKEN, Taking::taken},    {HD_FLOW_ARMED, Taking::taken},   {HD_FLOW_SENT, Taking::wait},
      {HD_FLOW_ANSWERING, Taking::wait}, {HD_FLOW_DONE, Taking::landing},  {HD_FLOW_SPILL, Taking::relay},
      {HD_FLOW_FRAMED, Taking::relay},   {HD_FLOW_BROKEN, Taking::broken}, {HD_FLOW_FREE, Taking::broken}};
  for (const auto& [state, expected] : cases) {
    set(state);
    EXPECT_EQ(flow.take(), expected) << state;
    const bool waits = expected == Taking::wait;
    const std::uint64_t left =
        expected == Taking::taken ? std::uint64_t{HD_FLOW_TAKEN} : state | (waits ? HD_FLOW_WAIT : 0U);
    EXPECT_EQ(record.state, base | left) << state;
  }
}

TEST_F(FlowTest, WhoWaitsGoesOnWaiting) {
  set(HD_FLOW_SENT | HD_FLOW_WAIT);
  EXPECT_EQ(flow.take(), Taking::wait);
  set(HD_FLOW_FRAMED | HD_FLOW_WAIT);
  EXPECT_EQ(flow.take(), Taking::relay);
  EXPECT_TRUE(flow.seize(HD_FLOW_FRAMED));
  EXPECT_EQ(record.state, base | HD_FLOW_TAKEN);
}

TEST_F(FlowTest, NobodyIsThere) {
  record.ends = HD_FLOW_HANDLER;
  for (const hd_flow_state state : {HD_FLOW_SENT, HD_FLOW_ANSWERING, HD_FLOW_DONE}) {
    set(state);
    EXPECT_EQ(flow.take(), Taking::gone);
  }
  set(HD_FLOW_ARMED);
  EXPECT_EQ(flow.take(), Taking::taken);
}

/// Every step from a word that has changed since it was seen changes nothing.
TEST_F(FlowTest, LostRaces) {
  for (const std::uint32_t seen :
       {std::uint32_t{HD_FLOW_ARMED}, std::uint32_t{HD_FLOW_SENT}, std::uint32_t{HD_FLOW_ANSWERING}}) {
    for (const std::uint64_t now : std::initializer_list<std::uint64_t>{
             base | HD_FLOW_SENT | HD_FLOW_WAIT, base | HD_FLOW_DONE, base | HD_FLOW_BROKEN,
             HD_FLOW_NEXT(base) | seen, (base + (std::uint64_t{1} << 32)) | seen}) {
      record.state = now;
      EXPECT_EQ(flow.try_take(base | seen), std::nullopt) << seen << " " << now;
      EXPECT_EQ(record.state, now);
    }
  }
}

TEST_F(FlowTest, ARecordOfAnotherClientIsLeftAlone) {
  const std::uint64_t others = (std::uint64_t{8} << 32) | HD_FLOW_ARMED;
  record.state = others;
  EXPECT_EQ(flow.state(), HD_FLOW_FREE);
  EXPECT_EQ(flow.take(), Taking::broken);
  EXPECT_FALSE(flow.seize(HD_FLOW_ARMED));
  EXPECT_EQ(flow.seize_any(), HD_FLOW_FREE);
  EXPECT_FALSE(flow.arm(0, 0));
  EXPECT_FALSE(flow.busy());
  EXPECT_EQ(record.state, others);
}

TEST_F(FlowTest, SeizesOnlyFromTheStateItSays) {
  set(HD_FLOW_ANSWERING | HD_FLOW_WAIT);
  EXPECT_FALSE(flow.seize(HD_FLOW_SENT));
  EXPECT_TRUE(flow.seize(HD_FLOW_ANSWERING));
  EXPECT_EQ(record.state, base | HD_FLOW_TAKEN);
  set(HD_FLOW_SPILL);
  EXPECT_EQ(flow.seize_any(), HD_FLOW_SPILL);
  EXPECT_EQ(record.state, base | HD_FLOW_TAKEN);
}

/// The programs run a request through its states as fast as they can, and the handler takes the flow in
/// between: nobody ever finds it in a state that somebody else has not put it into.
TEST_F(FlowTest, TwoThreads) {
  std::atomic<bool> stop = false;
  std::atomic<std::uint64_t> broken = 0;
  std::atomic<std::uint64_t> requests = 0;
  const auto step = [this](std::uint64_t from, std::uint64_t to) {
    for (const std::uint64_t wait : {std::uint64_t{0}, std::uint64_t{HD_FLOW_WAIT}}) {
      std::uint64_t seen = from | wait;
      if (__atomic_compare_exchange_n(&record.state, &seen,
                                      to | (HD_FLOW_STATE(to) == HD_FLOW_DONE ? 0 : wait), false,
                                      __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        return true;
    }
    return false;
  };
  std::thread programs([&] {
    while (!stop) {
      const std::uint64_t armed = flow.word();
      if ((armed & 31) != HD_FLOW_ARMED) continue;
      const std::uint64_t next = HD_FLOW_NEXT(HD_FLOW_BASE(armed));
      if (!step(armed, next | HD_FLOW_SENT)) continue;
      // From here on it is the programs' alone.
      if (!step(next | HD_FLOW_SENT, next | HD_FLOW_ANSWERING)) ++broken;
      if (!step(next | HD_FLOW_ANSWERING, next | HD_FLOW_DONE)) ++broken;
      ++requests;
    }
  });
  Flow own = flow;
  std::uint64_t taken = 0;
  while (taken < 20'000 || requests < 100) {
    const Taking taking = own.take();
    if (taking == Taking::landing && !own.seize(HD_FLOW_DONE)) ++broken;
    if (taking == Taking::wait) continue;
    ++taken;
    if (!own.arm(taken, taken)) ++broken;
  }
  stop = true;
  programs.join();
  EXPECT_EQ(broken, 0U);
}

}  // namespace
}  // namespace heddle::handler
