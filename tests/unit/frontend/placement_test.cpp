// Where connections to tcp services are decided: with a client's address only after they are accepted.
#include <gtest/gtest.h>

#include "compiler/plan/placement.h"
#include "compiler/plan/plan.h"
#include "tests/unit/frontend/checked.h"

namespace heddle::frontend {
namespace {

/// tcp services `s`, `other` and `third`; the first has `more` of its own.
std::string mesh_of(const std::string& more, const std::string& rest) {
  return base + "service s { address 10.0.0.3:1  protocol tcp  transport plaintext  subset v1 where v is \"1\"  " + more +
         "  endpoint 10.0.1.3:1 { v \"1\" }  endpoint 10.0.1.4:1 }\n"
         "service other { address 10.0.0.4:1  protocol tcp  transport plaintext  endpoint 10.0.1.5:1 }\n"
         "service third { address 10.0.0.5:1  protocol tcp  transport plaintext  balance maglev by address  endpoint 10.0.1.6:1 }\n" +
         rest;
}

struct Placed {
  const char* what;
  std::string more;
  std::string rest;
  bool by_address = true;
};

TEST(Placement, OfTcpServices) {
  const std::string open = "access s { allow from any }  access other { allow from any }  access third { allow from any }\n";
  const std::string others = "access other { allow from any }  access third { allow from any }\n";
  const std::string range = " address in [10.0.0.0/8]";
  const std::vector<Placed> cases = {
      {"nothing of it", "balance least_request", open, false},
      {"callers and ports", "", others + "access s { allow from web when port is 1 and not from cart }", false},
      {"a route", "", open + "route s { when port is 1 and not" + range + " -> v1  otherwise -> s }"},
      {"access", "", others + "access s { allow from any when" + range + " }"},
      {"a rule that denies", "", others + "access s { deny from any when" + range + "  allow from any }"},
      {"an audited rule", "", others + "access s { audit deny from any when" + range + "  allow from any }"},
      {"an audited block", "", open + "access s audit { allow from any when" + range + " }"},
      {"every service", "", open + "access every service { deny from any when" + range + " }"},
      {"every http service", "", open + "access every http service { deny from any when" + range + " }", false},
      {"when a limit applies", "", open + "limit l on s { when" + range + "  rate 1/s burst 1 }"},
      {"whose account it is", "", open + "limit l on s { rate 1/s burst 1  key identity, address }"},
      {"an identity's account", "", open + "limit l on s { rate 1/s burst 1  key identity }", false},
      {"balance", "balance maglev by address", open},
      {"split", "", open + "route s { otherwise -> split by address { 50% v1, 50% s } }"},
      {"split by nothing", "", open + "route s { otherwise -> split { 50% v1, 50% s } }", false},
      {"the access of a target", "", "access s { allow from any }  access third { allow from any }\naccess other { allow from any when" + range +
                                         " }\nroute s { otherwise -> other }"},
      {"the audited access of a target", "", open + "access other audit { allow from any when" + range + " }\nroute s { otherwise -> other }"},
      {"the balance of a target, in a split", "", open + "route s { otherwise -> split { 99% s, 1% third } }"},
      {"what a target routes itself", "", open + "route s { otherwise -> other }  route other { when" + range + " -> third  otherwise -> other }", false},
      {"a service that is no target", "", "access s { allow from any }  access third { allow from any }\naccess other { allow from any when" + range + " }",
       false},
  };
  for (const Placed& each : cases) {
    const Checked checked = check(mesh_of(each.more, each.rest));
    ASSERT_TRUE(checked.policy) << each.what << ": " << checked.messages().front();
    const model::Service& s = checked.service("s");
    EXPECT_EQ(plan::placement(s, *checked.policy).tier, each.by_address ? plan::Tier::handler : plan::Tier::connect) << each.what;
    const auto planned = plan::make_plan(*checked.policy);
    ASSERT_TRUE(planned.errors.empty()) << each.what;
    const hd_service& entry = planned.plan.tables.services.at(static_cast<std::size_t>(&s - checked.policy->services.data()));
    EXPECT_EQ(entry.protocol, static_cast<hd_u32>(HD_PROTOCOL_TCP)) << each.what;
    EXPECT_EQ(entry.flags, each.by_address ? static_cast<hd_u32>(HD_SERVICE_ACCEPTED) : 0u) << each.what;
  }
}

TEST(Placement, KernelIsNotWhereAnAddressIsAskedFor) {
  const auto misplaced = [](const std::string& rules) {
    const Checked checked = check(mesh_of("", "access s { " + rules + " }  access other { allow from any }  access third { allow from any }"));
    EXPECT_TRUE(checked.policy) << checked.messages().front();
    std::vector<std::string> found;
    if (checked.policy) {
      for (const auto& each : plan::make_plan(*checked.policy).misplaced) found.push_back(each.rule + ": " + each.why);
    }
    return found;
  };
  EXPECT_TRUE(misplaced("allow from web { require kernel }").empty());
  EXPECT_EQ(misplaced("allow from web { require kernel }  deny from any when address is 10.0.0.9"),
            std::vector<std::string>{"access s/1: a client's address is known when it has connected"});
}

}  // namespace
}  // namespace heddle::frontend
