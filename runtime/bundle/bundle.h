#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "runtime/base/result.h"

/// The file that the compiler writes and the agent loads: BPF object, first contents of its tables, manifest.
///
/// Layout, integers little-endian, nothing between the parts:
///   magic "HDBUNDLE", u32 version, u32 number of sections,
///   per section {u32 kind, u32 zero, u64 offset, u64 size}: manifest, object, then one per table in order,
///   the sections, SHA-256 of everything before it.
namespace heddle::bundle {

/// One table of the generation, as it is before the loader writes its own fields into it.
struct MapImage {
  std::string name;
  std::uint32_t key_size = 0;
  std::uint32_t value_size = 0;
  std::uint32_t max_entries = 0;
  std::uint32_t count = 0;  // entries given here, at most max_entries
  std::vector<std::byte>
      keys;  // hashes: count * key_size bytes; arrays: none, values are in the order of index
  std::vector<std::byte> values;  // count * value_size bytes
};

struct Bundle {
  std::string manifest;  // JSON, see manifest.h
  std::vector<std::byte> object;
  std::vector<MapImage> maps;
};

/// What a table of that name must look like; the one list of the tables of a generation.
struct MapShape {
  const char* name;
  bool hash;
  std::uint32_t key_size;
  std::uint32_t value_size;  // 0: the bundle says (hd_blob)
  std::uint32_t entries_limit;
};
std::span<const MapShape> map_shapes();

enum Limit : std::size_t {
  file_limit = std::size_t{256} << 20U,
  manifest_limit = std::size_t{32} << 20U,
  object_limit = std::size_t{64} << 20U,
  blob_limit = std::size_t{64} << 20U,
};

/// The bytes of the file; the same for equal bundles. The bundle must keep to the limits and shapes, which
/// `check` tells.
std::vector<std::byte> serialize(const Bundle& bundle);

/// Limits, names, sizes and counts, without the manifest.
Result<void> check(const Bundle& bundle);

/// Refuses whatever `serialize` cannot have written. Nothing is allocated before its size is known to lie in
/// the file.
Result<Bundle> parse(std::span<const std::byte> file);

/// SHA-256 in hex of the file's content, which is also its last 32 bytes: the name of a bundle.
std::string digest(std::span<const std::byte> file);

}  // namespace heddle::bundle
