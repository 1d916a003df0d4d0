#include "runtime/bundle/bundle.h"

#include <gtest/gtest.h>

#include <openssl/sha.h>

#include <random>
#include <string>

#include "bpf_templates/include/heddle/abi.h"
#include "runtime/bundle/manifest.h"

namespace heddle::bundle {
namespace {

std::vector<std::byte> bytes_of(const std::string& text) {
  const auto* data = reinterpret_cast<const std::byte*>(text.data());
  return {data, data + text.size()};
}

MapImage image(const std::string& name, std::uint32_t count) {
  for (const MapShape& shape : map_shapes()) {
    if (name != shape.name) continue;
    MapImage map{
        name, shape.key_size, shape.value_size == 0 ? 16 : shape.value_size, std::max(count, 1U), count, {},
        {}};
    if (shape.hash) map.keys.assign(std::size_t{count} * map.key_size, std::byte{7});
    map.values.assign(std::size_t{count} * map.value_size, std::byte{9});
    return map;
  }
  ADD_FAILURE() << name;
  return {};
}

/// Puts the checksum behind a content.
void seal(std::vector<std::byte>& content) {
  unsigned char hash[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(content.data()), content.size(), hash);
  for (const unsigned char byte : hash) content.push_back(std::byte{byte});
}

std::string manifest_text() {
  return R"({"abi":10,"compiler":"heddle 0.1.0","mesh":"shop","trust_domain":"shop.example","source_digest":"00",
  "outside":"allow","rules":[{"id":"mesh/malformed","digest":"000102030405060708090a0b0c0d0e0f"},
  {"id":"route a/1","digest":"100102030405060708090a0b0c0d0e0f","service":"a","file":"a.mesh","line":3,"column":1}],
  "services":[{"name":"a","protocol":"http","transport":"plaintext","addresses":["10.0.0.1:80"]}],
  "targets":[],
  "workloads":[{"name":"web","cgroup":"shop.slice/web-*","spiffe":"spiffe://shop.example/web"}],
  "pools":[{"name":"a","digest":"200102030405060708090a0b0c0d0e0f"}],
  "parts":[],
  "endpoints":[{"service":"a","address":"10.0.1.1:80","digest":"300102030405060708090a0b0c0d0e0f"}],
  "filters":[],
  "maps":[{"name":"hd_rules","type":"array","key":4,"value":56,"entries":2}],
  "programs":["connect4","connect6","sk_msg","decide"],"requires":{"kernel":"5.18","btf":true,"cgroup2":true}})";
}

std::string manifest_with(const std::string& from, const std::string& to) {
  std::string text = manifest_text();
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

Bundle small_bundle() {
  Bundle bundle;
  bundle.manifest = manifest_with("\"abi\":10", "\"abi\":" + std::to_string(HD_ABI_VERSION));
  bundle.object = bytes_of("not really an object");
  bundle.maps = {image("hd_rules", 2), image("hd_services", 1),  image("hd_workloads", 1),
                 image("hd_pools", 2), image("hd_endpoints", 1), image("hd_addresses", 3),
                 image("hd_names", 0)};
  return bundle;
}

TEST(Bundle, ComesBackAsItWas) {
  const Bundle bundle = small_bundle();
  const std::vector<std::byte> file = serialize(bundle);
  EXPECT_EQ(file, serialize(small_bundle()));
  Result<Opened> opened = open(file);
  ASSERT_TRUE(opened.ok()) << opened.error().what;
  EXPECT_EQ(opened->bundle.manifest, bundle.manifest);
  EXPECT_EQ(opened->bundle.object, bundle.object);
  ASSERT_EQ(opened->bundle.maps.size(), bundle.maps.size());
  for (std::size_t i = 0; i < bundle.maps.size(); ++i) {
    EXPECT_EQ(opened->bundle.maps[i].name, bundle.maps[i].name);
    EXPECT_EQ(opened->bundle.maps[i].max_entries, bundle.maps[i].max_entries);
    EXPECT_EQ(opened->bundle.maps[i].keys, bundle.maps[i].keys);
    EXPECT_EQ(opened->bundle.maps[i].values, bundle.maps[i].values);
  }
  EXPECT_EQ(opened->digest.size(), 64U);
  EXPECT_EQ(opened->manifest.rules[1].line, 3U);
  EXPECT_EQ(opened->manifest.rules[1].digest[0], std::byte{0x10});
  EXPECT_EQ(opened->manifest.workloads[0].cgroup, "shop.slice/web-*");
  EXPECT_TRUE(opened->manifest.requires_.btf);
}

TEST(Bundle, TruncationsUnderARightChecksumAreFound) {
  const std::vector<std::byte> file = serialize(small_bundle());
  for (std::size_t size = 0; size < file.size() - 32; ++size) {
    std::vector<std::byte> cut(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size));
    seal(cut);
    ASSERT_FALSE(parse(cut).ok()) << size;
  }
}

TEST(Bundle, EveryTruncationIsFound) {
  const std::vector<std::byte> file = serialize(small_bundle());
  for (std::size_t size = 0; size < file.size(); ++size) {
    const Result<Bundle> parsed = parse(std::span(file).first(size));
    ASSERT_FALSE(parsed.ok()) << size;
    ASSERT_FALSE(parsed.error().what.empty()) << size;
  }
}

TEST(Bundle, EveryFlippedBitIsFound) {
  std::vector<std::byte> file = serialize(small_bundle());
  for (std::size_t at = 0; at < file.size(); ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      file[at] ^= std::byte{1} << bit;
      ASSERT_FALSE(parse(file).ok()) << "byte " << at << " bit " << bit;
      file[at] ^= std::byte{1} << bit;
    }
  }
  EXPECT_TRUE(parse(file).ok());
}

TEST(Bundle, TrailingBytesAreFound) {
  std::vector<std::byte> file = serialize(small_bundle());
  file.push_back(std::byte{0});
  EXPECT_FALSE(parse(file).ok());
}

/// A file with a right checksum can still lie: every number of the section table and of the tables' headers
/// is given wrong values, and the checksum made right again.
TEST(Bundle, LiesUnderARightChecksumAreFound) {
  const std::vector<std::byte> file = serialize(small_bundle());
  const std::size_t header = 16 + 24 * (2 + small_bundle().maps.size());
  std::size_t accepted = 0;
  for (std::size_t at = 8; at < header; ++at) {
    for (const std::byte value : {std::byte{0x01}, std::byte{0x7f}, std::byte{0x80}, std::byte{0xff}}) {
      std::vector<std::byte> changed(file.begin(), file.end() - 32);
      changed[at] ^= value;
      seal(changed);
      accepted += parse(changed).ok() ? 1U : 0U;
    }
  }
  EXPECT_EQ(accepted, 0U);
}

/// Anything may follow a right checksum. What is taken must be what `serialize` writes.
TEST(Bundle, RandomContentIsRefusedOrRight) {
  const std::vector<std::byte> file = serialize(small_bundle());
  std::mt19937 random(20231123);
  std::size_t taken = 0;
  for (int round = 0; round < 20000; ++round) {
    std::vector<std::byte> changed(file.begin(), file.end() - 32);
    for (unsigned count = 1 + random() % 4; count > 0; --count) {
      const std::size_t at = random() % changed.size();
      const auto place = changed.begin() + static_cast<std::ptrdiff_t>(at);
      switch (random() % 4) {
        case 0:
          changed[at] = static_cast<std::byte>(random());
          break;
        case 1:
          if (changed.size() > 1) changed.erase(place);
          break;
        case 2:
          changed.insert(place, static_cast<std::byte>(random()));
          break;
        default:
          changed.resize(at + 1);
          break;
      }
    }
    seal(changed);
    const Result<Bundle> parsed = parse(changed);
    if (!parsed) continue;
    ++taken;
    ASSERT_EQ(serialize(*parsed), changed) << "round " << round;
    static_cast<void>(parse_manifest(parsed->manifest));
  }
  EXPECT_GT(taken, 100U) << "changes within texts and values are legal";
}

TEST(Bundle, TablesMustHaveTheShapeOfTheContract) {
  const auto refused = [](auto change) {
    Bundle bundle = small_bundle();
    change(bundle);
    return !check(bundle).ok() && !parse(serialize(bundle)).ok();
  };
  EXPECT_TRUE(refused([](Bundle& b) { b.maps[0].name = "hd_unknown"; }));
  EXPECT_TRUE(refused([](Bundle& b) { b.maps[0].key_size = 8; }));
  EXPECT_TRUE(refused([](Bundle& b) { b.maps[0].value_size = 47; }));
  EXPECT_TRUE(refused([](Bundle& b) { b.maps[0].max_entries = 0; }));
  EXPECT_TRUE(refused([](Bundle& b) { b.maps[0].max_entries = 1U << 30U; }));
  EXPECT_TRUE(refused([](Bundle& b) { b.maps[0].count = 3; }));
  EXPECT_TRUE(refused([](Bundle& b) { b.maps[0].values.pop_back(); }));
  EXPECT_TRUE(refused([](Bundle& b) { b.maps[0].keys.assign(8, std::byte{1}); }));
  EXPECT_TRUE(refused([](Bundle& b) { b.maps.push_back(b.maps[0]); }));
}

TEST(Manifest, HasWhatAServiceSaysOfItsEndpoints) {
  const Result<Manifest> plain = parse_manifest(manifest_text());
  ASSERT_TRUE(plain.ok());
  EXPECT_EQ(plain->services[0].eject.failures, 0U);
  EXPECT_EQ(plain->services[0].connections, 0U);
  const char* addresses = R"("addresses":["10.0.0.1:80"])";
  const std::string eject =
      R"("eject":{"digest":"400102030405060708090a0b0c0d0e0f","failures":5,"time_ms":30000)";
  const Result<Manifest> parsed = parse_manifest(manifest_with(
      addresses, std::string(addresses) + R"(,"connections":7,)" + eject + R"(,"share_ppm":500000})"));
  ASSERT_TRUE(parsed.ok()) << parsed.error().what;
  EXPECT_EQ(parsed->services[0].connections, 7U);
  EXPECT_EQ(parsed->services[0].eject.failures, 5U);
  EXPECT_EQ(parsed->services[0].eject.time_ms, 30000U);
  EXPECT_EQ(parsed->services[0].eject.share_ppm, 500000U);
  EXPECT_EQ(parsed->services[0].eject.digest[0], std::byte{0x40});
  const Result<Manifest> half =
      parse_manifest(manifest_with(addresses, std::string(addresses) + "," + eject + "}"));
  ASSERT_FALSE(half.ok());
  EXPECT_NE(half.error().what.find("`services[0].eject.share_ppm`"), std::string::npos) << half.error().what;
}

TEST(Manifest, SaysWhichMemberIsWrong) {
  const auto wrong = [](const std::string& from, const std::string& to) {
    Result<Manifest> parsed = parse_manifest(manifest_with(from, to));
    return parsed ? std::string("accepted") : parsed.error().what;
  };
  EXPECT_NE(wrong("\"abi\":10", "\"abi\":-2").find("`abi`"), std::string::npos);
  EXPECT_NE(wrong("\"mesh\":\"shop\",", "").find("`mesh`"), std::string::npos);
  EXPECT_NE(wrong("\"line\":3", "\"line\":\"3\"").find("`rules[1].line`"), std::string::npos);
  EXPECT_NE(wrong("100102030405060708090a0b0c0d0e0f", "10").find("`rules[1].digest`"), std::string::npos);
  EXPECT_NE(wrong("\"btf\":true", "\"btf\":1").find("`requires.btf`"), std::string::npos);
  EXPECT_NE(wrong("{\"abi\"", "[{\"abi\"").find("not JSON"), std::string::npos);
  EXPECT_FALSE(parse_manifest("[]").ok());
  EXPECT_FALSE(parse_manifest("").ok());
  EXPECT_FALSE(parse_manifest(std::string(200000, '[')).ok());
}

TEST(Manifest, CgroupPatternsStayBelowTheRoot) {
  for (const char* pattern : {"", "/a", "a/", "a//b", "../a", "a/../b", ".", "a/./b"}) {
    EXPECT_FALSE(parse_manifest(manifest_with("shop.slice/web-*", pattern)).ok()) << pattern;
  }
  EXPECT_TRUE(parse_manifest(manifest_with("shop.slice/web-*", "*/b.service")).ok());
}

TEST(Manifest, MustAgreeWithTheTables) {
  Bundle bundle = small_bundle();
  Manifest manifest = *parse_manifest(bundle.manifest);
  EXPECT_TRUE(check(manifest, bundle).ok());
  manifest.rules.pop_back();
  EXPECT_FALSE(check(manifest, bundle).ok());
  manifest = *parse_manifest(bundle.manifest);
  manifest.abi += 1;
  EXPECT_EQ(check(manifest, bundle).error().kind, ErrorKind::unsupported);
}

}  // namespace
}  // namespace heddle::bundle
