#include "tests/kernel/compiled.h"

#include <gtest/gtest.h>

#include "compiler/emit/generate.h"
#include "compiler/emit/images.h"
#include "compiler/emit/manifest.h"
#include "compiler/plan/plan.h"

namespace heddle::test {

bundle::Opened compile(const model::Policy& policy, const plan::CodeBounds& bounds, const std::vector<emit::Filter>& filters) {
  const plan::PlanResult planned = plan::make_plan(policy, bounds);
  EXPECT_TRUE(planned.errors.empty());
  const emit::Generated object = emit::generate(planned.plan, emit::Product::object, filters);
  EXPECT_TRUE(object.ok) << object.error;
  bundle::Bundle out;
  const auto* bytes = reinterpret_cast<const std::byte*>(object.bytes.data());
  out.object.assign(bytes, bytes + object.bytes.size());
  std::vector<emit::Image> images = emit::make_images(planned.plan.tables);
  source::SourceManager sources;
  sources.add("policy.mesh", std::string(4096, '\n'));
  out.manifest = emit::make_manifest(policy, planned.plan, images, sources, "test", filters);
  for (const emit::Image& image : images) {
    out.maps.push_back({image.name, image.key_size, image.value_size, image.max_entries, image.count,
                        image.keys, image.values});
  }
  auto opened = bundle::open(bundle::serialize(out));
  EXPECT_TRUE(opened.ok()) << opened.error().what;
  return std::move(*opened);
}

std::unique_ptr<loader::DecideSession> load(const model::Policy& policy, const plan::CodeBounds& bounds,
                                            const loader::Place& place, const std::vector<emit::Filter>& filters) {
  auto session = loader::DecideSession::make(compile(policy, bounds, filters), place);
  EXPECT_TRUE(session.ok()) << session.error().what;
  if (!session.ok()) return nullptr;
  return std::make_unique<loader::DecideSession>(std::move(*session));
}

model::SocketAddress address(const std::string& ip, std::uint16_t port) {
  model::SocketAddress out;
  EXPECT_TRUE(model::parse_ip(ip, out.ip));
  out.port = port;
  return out;
}

loader::SocketAddress dialled(const model::SocketAddress& address) {
  return {address.ip.bytes, address.port};
}

}  // namespace heddle::test
