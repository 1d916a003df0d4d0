#include "runtime/bundle/bundle.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "bpf_templates/include/heddle/abi.h"
#include "runtime/base/hex.h"

namespace heddle::bundle {
namespace {

constexpr std::string_view magic = "HDBUNDLE";
constexpr std::uint32_t version = 1;
constexpr std::size_t header_size = 16;
constexpr std::size_t entry_size = 24;
constexpr std::size_t hash_size = 32;
constexpr std::size_t map_header_size = 24;
constexpr std::size_t name_limit = 15;  // of the kernel

enum SectionKind : std::uint32_t { section_manifest = 1, section_object = 2, section_map = 3 };

constexpr std::uint32_t small = 1U << 16U;
constexpr std::uint32_t large = 1U << 24U;  // a state of an automaton has 24 bits

constexpr std::array<MapShape, 25> shapes{{
    {"hd_mesh", false, 4, sizeof(hd_mesh), 1},
    {"hd_patterns", false, 4, sizeof(hd_pattern), small},
    {"hd_cgroups", true, 8, sizeof(hd_cgroup), 1U << 20U},
    {"hd_workloads", false, 4, sizeof(hd_workload), small},
    {"hd_addresses", true, sizeof(hd_address_key), sizeof(hd_address), 1U << 20U},
    {"hd_services", false, 4, sizeof(hd_service), small},
    {"hd_rules", false, 4, sizeof(hd_rule), 1U << 20U},
    {"hd_parts", false, 4, sizeof(hd_part), 1U << 20U},
    {"hd_answers", false, 4, sizeof(hd_answer), 1U << 20U},
    {"hd_pools", false, 4, sizeof(hd_pool), 1U << 18U},
    {"hd_members", false, 4, 4, 1U << 22U},
    {"hd_maglev", false, 4, 4, large},
    {"hd_endpoints", false, 4, sizeof(hd_endpoint), 1U << 18U},
    {"hd_steps", false, 4, sizeof(hd_step), large},
    {"hd_names", true, sizeof(hd_name_key), 4, 1U << 20U},
    {"hd_fields", false, 4, sizeof(hd_field), 1U << 20U},
    {"hd_sets", false, 4, 8, large},
    {"hd_choosers", false, 4, sizeof(hd_chooser), 1U << 17U},
    {"hd_keys", false, 4, sizeof(hd_key), 1U << 22U},
    {"hd_candidates", false, 4, 4, large},
    {"hd_alternatives", false, 4, sizeof(hd_alternative), large},
    {"hd_tests", false, 4, sizeof(hd_test), large},
    {"hd_limits", false, 4, sizeof(hd_rate_limit), 1U << 16U},
    {"hd_limit_keys", false, 4, sizeof(hd_limit_key), 1U << 20U},
    {"hd_blob", false, 4, 0, 1},
}};

using Hash = std::array<std::byte, hash_size>;

Hash sha256(std::span<const std::byte> bytes) {
  Hash hash{};
  unsigned size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(hash.data()), &size,
                 EVP_sha256(), nullptr) != 1) {
    std::abort();  // libcrypto without SHA-256
  }
  return hash;
}

Error invalid(std::string what) {
  return Error{ErrorKind::invalid, "not a usable bundle: " + std::move(what),
               "build it again with `heddle build`, or copy it again"};
}

class Writer {
 public:
  template <typename T>
  void number(T value) {
    for (std::size_t i = 0; i < sizeof(T); ++i)
      out_.push_back(static_cast<std::byte>((value >> (8 * i)) & 0xff));
  }
  void bytes(std::span<const std::byte> data) { out_.insert(out_.end(), data.begin(), data.end()); }
  void text(std::string_view data) { bytes(std::as_bytes(std::span(data))); }
  std::vector<std::byte> take() { return std::move(out_); }

 private:
  std::vector<std::byte> out_;
};

/// Reads only what is there: the caller asks `has` first.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> data) : rest_(data) {}
  [[nodiscard]] bool has(std::uint64_t size) const { return size <= rest_.size(); }
  [[nodiscard]] std::size_t left() const { return rest_.size(); }
  template <typename T>
  T number() {
    T value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) {
      value |= static_cast<T>(static_cast<T>(std::to_integer<std::uint8_t>(rest_[i])) << (8 * i));
    }
    rest_ = rest_.subspan(sizeof(T));
    return value;
  }
  std::span<const std::byte> bytes(std::size_t size) {
    const std::span<const std::byte> part = rest_.first(size);
    rest_ = rest_.subspan(size);
    return part;
  }

 private:
  std::span<const std::byte> rest_;
};

std::vector<std::byte> map_section(const MapImage& map) {
  Writer out;
  out.number(static_cast<std::uint32_t>(map.name.size()));
  out.number(map.key_size);
  out.number(map.value_size);
  out.number(map.max_entries);
  out.number(map.count);
  out.number(std::uint32_t{map.keys.empty() ? 0U : 1U});
  out.text(map.name);
  out.bytes(map.keys);
  out.bytes(map.values);
  return out.take();
}

const MapShape* find_shape(std::string_view name) {
  const auto* found =
      std::find_if(shapes.begin(), shapes.end(), [&](const MapShape& s) { return name == s.name; });
  return found == shapes.end() ? nullptr : found;
}

/// Everything about a table that its numbers say, before its bytes are looked at.
Result<void> check_numbers(const MapImage& map) {
  const std::string name = "table `" + map.name + "` ";
  const MapShape* shape = find_shape(map.name);
  if (shape == nullptr) return invalid("unknown " + name);
  if (map.key_size != shape->key_size) return invalid(name + "has a wrong key size");
  if (shape->value_size != 0 && map.value_size != shape->value_size)
    return invalid(name + "has a wrong value size");
  if (map.value_size == 0 || map.value_size > blob_limit) return invalid(name + "has a wrong value size");
  if (map.max_entries == 0 || map.max_entries > shape->entries_limit) {
    return invalid(name + "has " + std::to_string(map.max_entries) + " entries, not 1 to " +
                   std::to_string(shape->entries_limit));
  }
  if (map.count > map.max_entries) return invalid(name + "is given more entries than it holds");
  return {};
}

std::uint64_t keys_size(const MapImage& map) {
  return find_shape(map.name)->hash ? std::uint64_t{map.count} * map.key_size : 0;
}

std::uint64_t values_size(const MapImage& map) {
  return std::uint64_t{map.count} * map.value_size;
}

Result<MapImage> parse_map(std::span<const std::byte> section) {
  Reader in(section);
  if (!in.has(map_header_size)) return invalid("a table without header");
  MapImage map;
  const auto name_size = in.number<std::uint32_t>();
  map.key_size = in.number<std::uint32_t>();
  map.value_size = in.number<std::uint32_t>();
  map.max_entries = in.number<std::uint32_t>();
  map.count = in.number<std::uint32_t>();
  const auto keyed = in.number<std::uint32_t>();
  if (name_size > name_limit || !in.has(name_size)) return invalid("a table with an overlong name");
  const std::span<const std::byte> name = in.bytes(name_size);
  map.name.assign(reinterpret_cast<const char*>(name.data()), name.size());
  if (Result<void> numbers = check_numbers(map); !numbers) return numbers.error();

  const std::uint64_t keys = keys_size(map);
  if (keyed != (keys == 0 ? 0U : 1U) || in.left() != keys + values_size(map)) {
    return invalid("table `" + map.name + "` has a wrong size");
  }
  const std::span<const std::byte> key_bytes = in.bytes(static_cast<std::size_t>(keys));
  map.keys.assign(key_bytes.begin(), key_bytes.end());
  const std::span<const std::byte> value_bytes = in.bytes(in.left());
  map.values.assign(value_bytes.begin(), value_bytes.end());
  return map;
}

Result<void> parse_section(std::size_t index, std::uint32_t kind, std::span<const std::byte> section,
                           Bundle& bundle) {
  const std::uint32_t expected = index == 0 ? section_manifest : index == 1 ? section_object : section_map;
  if (kind != expected) return invalid("section " + std::to_string(index) + " is of a wrong kind");
  if (kind == section_manifest) {
    if (section.size() > manifest_limit) return invalid("manifest too large");
    bundle.manifest.assign(reinterpret_cast<const char*>(section.data()), section.size());
  } else if (kind == section_object) {
    if (section.size() > object_limit) return invalid("object too large");
    bundle.object.assign(section.begin(), section.end());
  } else {
    Result<MapImage> map = parse_map(section);
    if (!map) return map.error();
    bundle.maps.push_back(std::move(*map));
  }
  return {};
}

/// Size and hash come first: what follows them can only be wrong if the writer was.
Result<void> check_whole(std::span<const std::byte> file) {
  if (file.size() > file_limit) return invalid("larger than 256 MiB");
  const std::size_t start = std::min(file.size(), magic.size());
  if (start == 0) return invalid("the file is empty");
  if (std::memcmp(file.data(), magic.data(), start) != 0) {
    return Error{ErrorKind::invalid, "not a bundle: it does not start as one",
                 "`heddle build PATH -o FILE` makes bundles"};
  }
  if (file.size() < header_size + hash_size) return invalid("it ends too early");
  const std::span<const std::byte> content = file.first(file.size() - hash_size);
  const Hash hash = sha256(content);
  if (std::memcmp(hash.data(), file.data() + content.size(), hash_size) != 0) {
    return invalid("its checksum is wrong, so it was cut short or changed after it was built");
  }
  return {};
}

}  // namespace

std::span<const MapShape> map_shapes() {
  return shapes;
}

std::string digest(std::span<const std::byte> file) {
  return to_hex(file.size() < hash_size ? file : file.last(hash_size));
}

Result<void> check(const Bundle& bundle) {
  if (bundle.manifest.size() > manifest_limit) return invalid("manifest too large");
  if (bundle.object.size() > object_limit) return invalid("object too large");
  for (std::size_t i = 0; i < bundle.maps.size(); ++i) {
    const MapImage& map = bundle.maps[i];
    if (Result<void> numbers = check_numbers(map); !numbers) return numbers;
    if (map.keys.size() != keys_size(map) || map.values.size() != values_size(map)) {
      return invalid("table `" + map.name + "` has a wrong size");
    }
    const auto same = [&](const MapImage& other) { return other.name == map.name; };
    if (std::any_of(bundle.maps.begin(), bundle.maps.begin() + static_cast<std::ptrdiff_t>(i), same)) {
      return invalid("table `" + map.name + "` occurs twice");
    }
  }
  return {};
}

std::vector<std::byte> serialize(const Bundle& bundle) {
  std::vector<std::vector<std::byte>> maps;
  for (const MapImage& map : bundle.maps) maps.push_back(map_section(map));

  Writer out;
  out.text(magic);
  out.number(version);
  out.number(static_cast<std::uint32_t>(2 + maps.size()));
  std::uint64_t offset = header_size + entry_size * (2 + maps.size());
  const auto entry = [&](SectionKind kind, std::size_t size) {
    out.number(static_cast<std::uint32_t>(kind));
    out.number(std::uint32_t{0});
    out.number(offset);
    out.number(static_cast<std::uint64_t>(size));
    offset += size;
  };
  entry(section_manifest, bundle.manifest.size());
  entry(section_object, bundle.object.size());
  for (const std::vector<std::byte>& map : maps) entry(section_map, map.size());
  out.text(bundle.manifest);
  out.bytes(bundle.object);
  for (const std::vector<std::byte>& map : maps) out.bytes(map);

  std::vector<std::byte> file = out.take();
  const Hash hash = sha256(file);
  file.insert(file.end(), hash.begin(), hash.end());
  return file;
}

Result<Bundle> parse(std::span<const std::byte> file) {
  if (Result<void> whole = check_whole(file); !whole) return whole.error();
  const std::span<const std::byte> content = file.first(file.size() - hash_size);
  Reader header(content.subspan(magic.size()));
  const auto file_version = header.number<std::uint32_t>();
  const auto sections = header.number<std::uint32_t>();
  if (file_version != version) {
    return Error{ErrorKind::unsupported,
                 "bundle of format " + std::to_string(file_version) + ", this program reads format 1",
                 "build it with the `heddle` that belongs to this `heddled`"};
  }
  if (sections < 2 || sections > 2 + shapes.size() || !header.has(sections * entry_size)) {
    return invalid("a wrong number of sections");
  }

  Bundle bundle;
  std::uint64_t expected = header_size + sections * entry_size;
  for (std::uint32_t i = 0; i < sections; ++i) {
    const auto kind = header.number<std::uint32_t>();
    const auto zero = header.number<std::uint32_t>();
    const auto offset = header.number<std::uint64_t>();
    const auto size = header.number<std::uint64_t>();
    if (zero != 0 || offset != expected || size > content.size() - offset) {
      return invalid("section " + std::to_string(i) + " does not lie where it should");
    }
    const auto section = content.subspan(static_cast<std::size_t>(offset), static_cast<std::size_t>(size));
    if (Result<void> parsed = parse_section(i, kind, section, bundle); !parsed) return parsed.error();
    expected = offset + size;
  }
  if (expected != content.size()) return invalid("bytes that belong to no section");
  if (Result<void> checked = check(bundle); !checked) return checked.error();
  return bundle;
}

}  // namespace heddle::bundle
