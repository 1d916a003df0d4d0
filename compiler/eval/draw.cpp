#include "compiler/eval/draw.h"

namespace heddle::eval {
namespace {

constexpr std::uint64_t shares = 1'000'000;

/// FNV-1a, 64 bits.
std::uint64_t digest_of(std::string_view text) {
  std::uint64_t digest = 0xcbf29ce484222325;
  for (const char byte : text) {
    digest ^= static_cast<unsigned char>(byte);
    digest *= 0x100000001b3;
  }
  return digest;
}

/// The finalizer of splitmix64, a one-to-one mixing of 64 bits.
std::uint64_t mix(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

/// Undoes z ^ (z >> bits).
std::uint64_t undo_shift(std::uint64_t z, int bits) {
  std::uint64_t result = z;
  for (int known = bits; known < 64; known += bits) result = z ^ (result >> bits);
  return result;
}

std::uint64_t unmix(std::uint64_t z) {
  z = undo_shift(z, 31) * 0x319642b2d24d8ec3;  // inverses of the factors above, modulo 2^64
  z = undo_shift(z, 27) * 0x96de1b173f119089;
  return undo_shift(z, 30);
}

}  // namespace

std::string delay_id(const std::string& rule_id) {
  return rule_id + "/fault delay";
}

std::string abort_id(const std::string& rule_id) {
  return rule_id + "/fault abort";
}

std::uint64_t draw_of_value(std::string_view value) {
  return digest_of(value);
}

std::uint64_t mixed_draw(std::uint64_t draw, std::string_view name) {
  return mix(draw ^ digest_of(name));
}

std::uint32_t share_of(std::uint64_t draw, std::string_view rule_id) {
  return static_cast<std::uint32_t>(((mixed_draw(draw, rule_id) >> 32) * shares) >> 32);
}

std::size_t part_of(const std::vector<model::SplitPart>& parts, std::uint32_t share) {
  std::uint32_t sum = 0;
  for (std::size_t part = 0; part < parts.size(); ++part) {
    sum += parts[part].weight_ppm;
    if (share < sum) return part;
  }
  return parts.size() - 1;  // never with weights that add up to all shares
}

std::uint64_t draw_for(std::uint32_t share, std::string_view rule_id) {
  // The smallest upper half u with (u * shares) >> 32 == share.
  const std::uint64_t upper = ((static_cast<std::uint64_t>(share) << 32) + shares - 1) / shares;
  return unmix(upper << 32) ^ digest_of(rule_id);
}

std::vector<std::uint64_t> draws_of_all_parts(const model::RouteRule& rule) {
  std::vector<std::uint64_t> draws;
  std::uint32_t sum = 0;
  for (const model::SplitPart& part : rule.target.split) {
    if (part.weight_ppm > 0) draws.push_back(draw_for(sum, rule.id));
    sum += part.weight_ppm;
  }
  if (draws.empty()) draws.push_back(0);
  return draws;
}

std::vector<FaultDraw> fault_draws(const model::RouteRule& rule) {
  if (!rule.fault) return {{}};
  const auto answers = [](bool there, std::uint32_t share) {
    std::vector<std::optional<bool>> all;
    if (!there) return std::vector<std::optional<bool>>{std::nullopt};
    if (share > 0) all.emplace_back(true);
    if (share < shares) all.emplace_back(false);
    return all;
  };
  std::vector<FaultDraw> draws;
  for (const auto& delayed : answers(rule.fault->delay_ms != 0, rule.fault->delay_ppm)) {
    for (const auto& aborted : answers(rule.fault->abort_status != 0, rule.fault->abort_ppm)) draws.push_back({delayed, aborted});
  }
  return draws;
}

}  // namespace heddle::eval
