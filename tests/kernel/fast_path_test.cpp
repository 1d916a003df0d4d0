// The fast path on the running kernel, without a policy: what `heddled` tries at its start.
#include <gtest/gtest.h>

#include "runtime/loader/self_test.h"
#include "tests/kernel/scratch.h"

namespace heddle::test {
namespace {

TEST(FastPath, WorksOnThisKernel) {
  if (!privileged()) return;
  const ScratchRoot root;
  const loader::SelfTest result = loader::test_fast_path(root.path());
  EXPECT_NE(result.landing, HD_FAST_OFF) << result.reason;
  std::printf("fast path on; landing by %s, own references %u%s%s\n",
              result.landing == HD_FAST_BY_TRACE ? "trace" : "references", result.own_references,
              result.reason.empty() ? "" : "; not by trace: ", result.reason.c_str());
}

}  // namespace
}  // namespace heddle::test
