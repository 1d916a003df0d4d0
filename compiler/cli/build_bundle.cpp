#include "compiler/cli/build_bundle.h"

#include <cstdlib>
#include <iostream>
#include <utility>

#include "compiler/emit/images.h"
#include "compiler/emit/manifest.h"

namespace heddle::cli {
namespace {

std::string generate(const Checked& checked, emit::Product product) {
  emit::Generated generated = emit::generate(*checked.plan, product, checked.filters);
  if (generated.ok) return std::move(generated.bytes);
  std::cerr << "heddle: code generation failed: " << generated.error << "\n";
  std::abort();
}

bundle::MapImage as_bundled(emit::Image&& image) {
  bundle::MapImage map;
  map.name = std::move(image.name);
  map.key_size = image.key_size;
  map.value_size = image.value_size;
  map.max_entries = image.max_entries;
  map.count = image.count;
  map.keys = std::move(image.keys);
  map.values = std::move(image.values);
  return map;
}

}  // namespace

BuiltBundle build_bundle(const Checked& checked) {
  BuiltBundle built;

  // The policy is code: verified by nobody yet, but whole.
  const std::string object = generate(checked, emit::Product::object);
  const auto* bytes = reinterpret_cast<const std::byte*>(object.data());
  built.bundle.object.assign(bytes, bytes + object.size());

  // Everything that the code looks up lies in tables.
  std::vector<emit::Image> images = emit::make_images(checked.plan->tables);

  // What a person or the agent wants to know of it stands beside it.
  built.bundle.manifest =
      emit::make_manifest(*checked.policy, *checked.plan, images, checked.sources, HEDDLE_VERSION, checked.filters);
  for (emit::Image& image : images) built.bundle.maps.push_back(as_bundled(std::move(image)));

  // It is one file, and one that the agent will take.
  if (const auto fits = bundle::check(built.bundle); !fits) {
    std::cerr << "heddle: the bundle breaks its own rules: " << fits.error().what << "\n";
    std::abort();
  }
  built.file = bundle::serialize(built.bundle);
  return built;
}

std::string generate_text(const Checked& checked, emit::Product product) {
  return generate(checked, product);
}

}  // namespace heddle::cli
