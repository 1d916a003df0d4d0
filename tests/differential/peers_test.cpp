// Whom a certificate names: the worker, by the tables of a generation, and the evaluator say the same of random IDs.

#include <gtest/gtest.h>

#include "compiler/eval/caller.h"
#include "compiler/plan/hash.h"
#include "compiler/plan/peers.h"
#include "runtime/base/peers.h"
#include "tests/differential/random.h"

namespace heddle::differential {
namespace {

const std::vector<std::string> domains = {"t.example", "old.example", "far.example", "t.example.far", "example"};

/// Of few letters, so that they meet.
std::string random_path(Random& random, bool pattern) {
  static const std::vector<std::string> pieces = {"a", "b", "ab", "ba", "a", "b"};
  std::string path;
  const std::size_t segments = random.between(1, 3);
  for (std::size_t segment = 0; segment < segments; ++segment) {
    if (segment != 0) path += '/';
    const std::size_t count = random.between(1, 4);
    for (std::size_t piece = 0; piece < count; ++piece) path += pattern && random.chance(40) ? "*" : random.pick(pieces);
  }
  return path;
}

/// Identities, and groups of those before them.
model::Policy random_policy(Random& random) {
  model::Policy policy;
  policy.trust_domain = "t.example";
  if (random.chance(60)) policy.trust_domain_alias = "old.example";
  const std::size_t count = random.between(1, 90);
  for (std::size_t id = 0; id < count; ++id) {
    model::Identity identity;
    if (id > 1 && random.chance(20)) {
      for (int member = 0; member < 3; ++member) {
        const auto& patterns = policy.identities[random.below(id)].patterns;
        identity.patterns.insert(identity.patterns.end(), patterns.begin(), patterns.end());
      }
    } else {
      std::string domain = random.chance(80) ? policy.trust_domain : random.pick(domains);
      if (domain == policy.trust_domain_alias) domain = policy.trust_domain;  // as the checked model has it
      identity.patterns.push_back({domain, random_path(random, true), {}});
    }
    policy.identities.push_back(std::move(identity));
  }
  return policy;
}

TEST(PeersAgree, WorkerAndEvaluator) {
  Random random(20);
  std::size_t asked = 0;
  std::size_t held = 0;
  for (int round = 0; round < 300; ++round) {
    const model::Policy policy = random_policy(random);
    plan::Tables tables;
    plan::write_peers(policy, tables);
    const Peers peers(tables.mesh, tables.patterns, tables.blob);
    for (int each = 0; each < 60; ++each) {
      const std::string domain = random.chance(60) ? policy.trust_domain : random.pick(domains);
      const std::string spiffe = "spiffe://" + domain + "/" + random_path(random, false);
      const auto own = eval::own_spiffe(policy, spiffe);
      const eval::Caller expected = eval::make_caller(policy, own);
      const auto found = peers.find(spiffe);
      ASSERT_TRUE(found) << spiffe;
      EXPECT_EQ(found->digest, plan::fnv1a(*own)) << spiffe << ": a workload's digest is this";
      for (model::IdentityId id = 0; id < HD_IDENTITY_WORDS * 64; ++id) {
        const bool holds = (found->identities[id / 64] >> (id % 64) & 1) != 0;
        ASSERT_EQ(holds, expected.identities.contains(id)) << spiffe << ", identity " << id;
        held += holds ? 1 : 0;
      }
      ++asked;
    }
  }
  std::printf("%zu ids, %zu identities held\n", asked, held);
  EXPECT_GE(held, asked / 2);
}

}  // namespace
}  // namespace heddle::differential
