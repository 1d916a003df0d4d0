#include "tests/unit/frontend/checked.h"

#include <cstdlib>

#include "compiler/sema/check.h"

namespace heddle::frontend {

const std::string base = R"(mesh shop { trust_domain "shop.example" }
identity web  = spiffe "ns/shop/sa/web"
identity cart = spiffe "ns/shop/sa/cart"
service cart {
  address 10.0.0.1:80  protocol http  transport plaintext  identity cart
  subset v1 where version is "v1"
  subset v2 where version is "v2"
  endpoint 10.0.1.1:8080 { version "v1" }
  endpoint 10.0.1.2:8080 { version "v2" }
}
service cache { address 10.0.0.2:6379  protocol tcp  transport plaintext }
access cache { allow from cart }
access cart { allow from web }
)";

std::vector<std::string> Checked::found() const {
  std::vector<std::string> result;
  for (const auto& diagnostic : sink.sorted(sources)) {
    result.push_back(std::string(diagnostic.kind->code) + " " + std::string(sources.text(diagnostic.span)));
  }
  return result;
}

std::vector<std::string> Checked::messages() const {
  std::vector<std::string> result;
  for (const auto& diagnostic : sink.sorted(sources)) result.push_back(diagnostic.message);
  return result;
}

const model::Service& Checked::service(const std::string& name) const {
  const model::Service* found = policy ? model::find_service(*policy, name) : nullptr;
  if (found == nullptr) std::abort();
  return *found;
}

const model::Identity& Checked::identity(const std::string& name) const {
  const model::Identity* found = policy ? model::find_identity(*policy, name) : nullptr;
  if (found == nullptr) std::abort();
  return *found;
}

Checked check_files(const Files& files) {
  Checked checked;
  for (const auto& [name, text] : files) checked.sources.add(name, text);
  checked.policy = sema::check(checked.sources, checked.sink);
  return checked;
}

Checked check(const std::string& text) {
  return check_files({{"policy.mesh", text}});
}

Checked check_condition(const std::string& condition) {
  return check(base + "route cart {\n  when " + condition + " -> v1\n  otherwise -> cart\n}\n");
}

}  // namespace heddle::frontend
