// Every short target, as the evaluator reads it and as the handler writes it anew: the same target, or refused by both.

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>

#include "compiler/eval/head.h"
#include "runtime/handler/http/normalise.h"

namespace heddle::differential {
namespace {

constexpr std::array<const char*, 16> pieces = {"/",   ".",   "a",   ";",   "\\",  "#",   "?",  "%",
                                                "%2F", "%5c", "%2e", "%61", "%00", "%20", "%25", "2e"};

std::string head_of(const std::string& target) {
  return "GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n";
}

/// What the evaluator decides on; none: it refuses.
std::optional<std::string> read(const std::string& target, model::PathMode mode) {
  eval::Refusal refusal;
  const auto head = eval::read_head(head_of(target), {mode, {}}, refusal);
  if (!head) return std::nullopt;
  return head->path + (head->query ? "?" + *head->query : "");
}

std::string written(const std::string& target, model::PathMode mode) {
  std::string head = head_of(target);
  const auto length = static_cast<std::uint32_t>(head.size());
  head.erase(0, http::normalise_target(head.data(), length, static_cast<http::PathMode>(mode)));
  return head.substr(4, head.find(" HTTP") - 4);
}

/// The programs in the kernel refuse what was written if it is not what they would have written themselves.
std::optional<std::string> forwarded(const std::string& target, model::PathMode mode) {
  std::string text = written(target, mode);
  return read(text, mode) == text ? std::optional(text) : std::nullopt;
}

std::string refused_by(const std::string& target, model::PathMode mode) {
  eval::Refusal refusal;
  return eval::read_head(head_of(target), {mode, {}}, refusal) ? "" : refusal.rule;
}

TEST(Paths, EveryShortTargetIsReadAsItIsForwarded) {
  const std::size_t length = std::getenv("HEDDLE_LONG") != nullptr ? 6 : 4;
  std::size_t count = 0, allowed = 0;
  std::array<std::size_t, 8> at{};
  while (at[length] == 0) {
    std::string target = "/";
    for (std::size_t i = 0; i < length; ++i) target += at[i] == 0 ? "" : pieces.at(at[i] - 1);
    for (const auto mode : {model::PathMode::merge, model::PathMode::decode}) {
      const auto decided = read(target, mode);
      ASSERT_EQ(decided, forwarded(target, mode)) << target << (mode == model::PathMode::merge ? ", merge" : ", decode");
      // Whatever else is wrong with such a request, it is the path that is named.
      if (!decided) {
        ASSERT_EQ(refused_by(written(target, mode), model::PathMode::strict), refused_by(target, mode)) << target;
      }
      ++count;
      allowed += decided ? 1 : 0;
    }
    for (std::size_t i = 0; ++at[i] > pieces.size(); ++i) at[i] = 0;
  }
  std::printf("%zu targets, %zu of them allowed\n", count, allowed);
  EXPECT_GT(allowed * 20, count);
}

}  // namespace
}  // namespace heddle::differential
