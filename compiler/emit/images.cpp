#include "compiler/emit/images.h"

#include <algorithm>
#include <cstring>

namespace heddle::emit {
namespace {

/// Cgroups that may be known at one time: workloads, their parents, and what lies beside them.
constexpr std::uint32_t cgroup_entries = 16384;

template <typename T>
void append(std::vector<std::byte>& out, const T& value) {
  const auto* bytes = reinterpret_cast<const std::byte*>(&value);
  out.insert(out.end(), bytes, bytes + sizeof(value));
}

template <typename Value>
Image array(const char* name, const std::vector<Value>& values) {
  Image image;
  image.name = name;
  image.key_size = sizeof(std::uint32_t);
  image.value_size = sizeof(Value);
  image.count = static_cast<std::uint32_t>(values.size());
  image.max_entries = std::max(image.count, 1U);  // the kernel knows no map without entries
  image.values.reserve(values.size() * sizeof(Value));
  for (const Value& value : values) append(image.values, value);
  return image;
}

template <typename Key, typename Value>
Image hash(const char* name, const std::vector<std::pair<Key, Value>>& entries, std::uint32_t least = 1) {
  Image image;
  image.name = name;
  image.hash = true;
  image.key_size = sizeof(Key);
  image.value_size = sizeof(Value);
  image.count = static_cast<std::uint32_t>(entries.size());
  image.max_entries = std::max(image.count, least);
  for (const auto& [key, value] : entries) {
    append(image.keys, key);
    append(image.values, value);
  }
  return image;
}

Image blob(const std::string& text) {
  Image image;
  image.name = "hd_blob";
  image.key_size = sizeof(std::uint32_t);
  image.value_size = static_cast<std::uint32_t>((text.size() + 8) / 8 * 8);
  image.max_entries = 1;
  image.count = 1;
  image.values.resize(image.value_size);
  std::memcpy(image.values.data(), text.data(), text.size());
  return image;
}

}  // namespace

std::vector<Image> make_images(const plan::Tables& tables) {
  std::vector<Image> images;
  images.push_back(hash<hd_u64, hd_cgroup>("hd_cgroups", {}, cgroup_entries));
  images.push_back(array("hd_mesh", tables.mesh));
  images.push_back(array("hd_patterns", tables.patterns));
  images.push_back(array("hd_workloads", tables.workloads));
  images.push_back(hash("hd_addresses", tables.addresses));
  images.push_back(array("hd_services", tables.services));
  images.push_back(array("hd_rules", tables.rules));
  images.push_back(array("hd_parts", tables.parts));
  images.push_back(array("hd_answers", tables.answers));
  images.push_back(array("hd_pools", tables.pools));
  images.push_back(array("hd_members", tables.members));
  images.push_back(array("hd_maglev", tables.maglev));
  images.push_back(array("hd_endpoints", tables.endpoints));
  images.push_back(array("hd_steps", tables.steps));
  images.push_back(hash("hd_names", tables.names));
  images.push_back(array("hd_fields", tables.fields));
  images.push_back(array("hd_sets", tables.sets));
  images.push_back(array("hd_choosers", tables.choosers));
  images.push_back(array("hd_keys", tables.keys));
  images.push_back(array("hd_candidates", tables.candidates));
  images.push_back(array("hd_alternatives", tables.alternatives));
  images.push_back(array("hd_tests", tables.tests));
  images.push_back(array("hd_limits", tables.limits));
  images.push_back(array("hd_limit_keys", tables.limit_keys));
  images.push_back(blob(tables.blob));
  return images;
}

}  // namespace heddle::emit
