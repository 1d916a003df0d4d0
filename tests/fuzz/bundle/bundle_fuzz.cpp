// Any bytes as the content of a bundle, its checksum right: what is opened is what a compiler can have written. What begins as
// JSON is read as a manifest alone.
#include <openssl/sha.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "bpf_templates/include/heddle/abi.h"
#include "runtime/bundle/bundle.h"
#include "runtime/bundle/manifest.h"
#include "tests/fuzz/harness.h"

namespace {

using namespace heddle;

void require(bool holds) {
  if (!holds) std::abort();
}

bundle::MapImage image(const bundle::MapShape& shape, std::uint32_t count) {
  const std::uint32_t value_size = shape.value_size == 0 ? 16 : shape.value_size;
  bundle::MapImage map{shape.name, shape.key_size, value_size, std::max(count, 1U), count, {}, {}};
  if (shape.hash) map.keys.assign(std::size_t{count} * map.key_size, std::byte{7});
  map.values.assign(std::size_t{count} * map.value_size, std::byte{1});
  return map;
}

std::string manifest() {
  return R"({"abi":)" + std::to_string(HD_ABI_VERSION) + R"(,"compiler":"heddle 0.1.0","mesh":"shop","trust_domain":"shop.example",
"trust_domain_alias":"old.example","source_digest":"00","outside":"allow",
"rules":[{"id":"mesh/malformed","digest":"000102030405060708090a0b0c0d0e0f"},
{"id":"route a/1","digest":"100102030405060708090a0b0c0d0e0f","service":"a","file":"a.mesh","line":3,"column":1,"timeout_ms":250}],
"services":[{"name":"a","protocol":"http","transport":"mtls","identity":"a","addresses":["10.0.0.1:80","[fd00::1]:80"],"connections":4,"prefer":"zone",
"eject":{"digest":"400102030405060708090a0b0c0d0e0f","failures":5,"time_ms":30000,"share_ppm":500000}}],
"targets":[{"service":0}],
"workloads":[{"name":"web","cgroup":"shop.slice/web-*","spiffe":"spiffe://shop.example/web","fast_path":false}],
"pools":[{"name":"a","digest":"200102030405060708090a0b0c0d0e0f"}],
"parts":[{"rule":1,"digest":"500102030405060708090a0b0c0d0e0f"}],
"endpoints":[{"service":"a","address":"10.0.1.1:80","digest":"300102030405060708090a0b0c0d0e0f","labels":{"zone":"z"}}],
"maps":[{"name":"hd_rules","type":"array","key":4,"value":56,"entries":2}],
"filters":[{"name":"geo","file":"geo.bpf.c","function":"geo",
"maps":[{"name":"geo.places","symbol":"places","type":"hash","key":4,"value":8,"entries":10,"flags":1}]}],
"programs":["connect4","connect6","sk_msg","decide"],"requires":{"kernel":"5.18","btf":true,"cgroup2":true}})";
}

/// How many entries a table has that the manifest above speaks of.
std::uint32_t entries_of(std::string_view name) {
  static const std::map<std::string_view, std::uint32_t> of_manifest{{"hd_rules", 2},     {"hd_services", 2}, {"hd_workloads", 1}, {"hd_pools", 2},
                                                                     {"hd_parts", 1}, {"hd_endpoints", 1}};
  const auto found = of_manifest.find(name);
  return found == of_manifest.end() ? 3 : found->second;
}

std::string content_of(const bundle::Bundle& bundle) {
  std::vector<std::byte> file = bundle::serialize(bundle);
  file.resize(file.size() - SHA256_DIGEST_LENGTH);
  return {reinterpret_cast<const char*>(file.data()), file.size()};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 0 && data[0] == '{') {
    const auto read = bundle::parse_manifest({reinterpret_cast<const char*>(data), size});
    require(read.ok() || !read.error().what.empty());
    return 0;
  }
  std::vector<std::byte> file(size);
  std::transform(data, data + size, file.begin(), [](std::uint8_t byte) { return std::byte{byte}; });
  unsigned char hash[SHA256_DIGEST_LENGTH];
  SHA256(data, size, hash);
  for (const unsigned char byte : hash) file.push_back(std::byte{byte});
  const auto parsed = bundle::parse(file);
  if (parsed) require(bundle::serialize(*parsed) == file);
  const auto opened = bundle::open(file);
  if (!opened) {
    require(!opened.error().what.empty());
    return 0;
  }
  require(parsed.ok());
  require(opened->manifest.rules.size() < size && opened->manifest.services.size() < size);
  return 0;
}

namespace heddle::fuzz {

std::vector<std::string> seeds() {
  bundle::Bundle one;
  one.manifest = manifest();
  one.object.assign(20, std::byte{1});
  for (const bundle::MapShape& shape : bundle::map_shapes()) one.maps.push_back(image(shape, 0));
  bundle::Bundle two = one;
  two.maps.clear();
  for (const bundle::MapShape& shape : bundle::map_shapes()) two.maps.push_back(image(shape, std::min(entries_of(shape.name), shape.entries_limit)));
  // A change of it reaches every part of the reader only if the whole is right.
  require(bundle::open(bundle::serialize(two)).ok());
  bundle::Bundle three = one;
  three.maps.clear();
  return {content_of(one), content_of(two), content_of(three), manifest()};
}

std::vector<std::string> words() {
  return {"\"", "{", "}", "[", "]", ",", ":", "\"rules\":", "\"services\":", "\"name\":", "\"digest\":\"000102030405060708090a0b0c0d0e0f\"", "null", "true",
          "-1", "4294967296", "1e9", "0", "\"http\"", "\"tcp\"", "\"10.0.0.1:80\"", "\"[::1]:80\"", "HDBUNDLE", std::string(4, '\0'), "\xFF\xFF\xFF\xFF",
          std::string("\1\0\0\0", 4), std::string("\3\0\0\0", 4), "hd_rules", "hd_blob", "\\u0000", "\xC3\x28"};
}

}  // namespace heddle::fuzz
