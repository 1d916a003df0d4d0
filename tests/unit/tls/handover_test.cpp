#include "runtime/handler/tls/handover.h"

#include <gtest/gtest.h>

#include "tests/unit/tls/certificates.h"

namespace heddle::tls {
namespace {

using namespace certificates;

TEST(Handover, WorkersGetWhatTheAgentHas) {
  const Issued root = issue(authority());
  Handover before;
  for (const std::uint64_t generation : {3, 7}) {
    auto made = Identity::make(files({issue_by(root, leaf())}, {root}), generation, start());
    ASSERT_TRUE(made);
    before.identities.push_back(std::move(made).value());
  }
  before.ticket_keys = {make_ticket_key(), make_ticket_key()};
  const std::vector<std::byte> bytes = pack(before);
  const auto after = unpack(bytes, start());
  ASSERT_TRUE(after);
  ASSERT_EQ(after->identities.size(), 2U);
  EXPECT_EQ(after->identities[1]->generation(), 7U);
  EXPECT_EQ(after->identities[1]->files(), before.identities[1]->files());
  ASSERT_EQ(after->ticket_keys.size(), 2U);
  EXPECT_EQ(after->ticket_keys[1].cipher, before.ticket_keys[1].cipher);
  // Expired on the way: the others are of use.
  EXPECT_TRUE(unpack(bytes, start() + 4000)->identities.empty());
  for (std::size_t size = 0; size < bytes.size(); size += 7) EXPECT_FALSE(unpack(std::span(bytes).first(size), start())) << size;
  std::vector<std::byte> longer = bytes;
  longer.push_back(std::byte{0});
  EXPECT_FALSE(unpack(longer, start()));
}

}  // namespace
}  // namespace heddle::tls
