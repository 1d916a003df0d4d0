#include "runtime/handler/http/normalise.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/normal_forms.h"

namespace heddle::http {
namespace {

std::string normalised(const std::string& target, PathMode mode) {
  const std::string rest = " HTTP/1.1\r\nHost: a\r\n\r\n";
  std::string head = "GET " + target + rest;
  const std::uint32_t cut = normalise_target(head.data(), static_cast<std::uint32_t>(head.size()), mode);
  head.erase(0, cut);
  EXPECT_TRUE(head.starts_with("GET ") && head.ends_with(rest)) << head;
  return head.substr(4, head.size() - 4 - rest.size());
}

TEST(Normalise, PathsAreResolved) {
  for (const NormalFormRow& row : normal_form_rows) {
    EXPECT_EQ(normalised(row.target, PathMode::strict), row.target);
    EXPECT_EQ(normalised(row.target, PathMode::merge), row.merged) << row.target;
    EXPECT_EQ(normalised(row.target, PathMode::decode), row.decoded) << row.target;
  }
}

TEST(Normalise, WhatIsNoHeadStaysAsItIs) {
  for (const std::string head : {"", "GET", "GET ", "GET  ", "GET x//y HTTP/1.1\r\n", "GET *", "\r\n\r\n"}) {
    std::string bytes = head;
    EXPECT_EQ(normalise_target(bytes.data(), static_cast<std::uint32_t>(bytes.size()), PathMode::decode), 0U) << head;
    EXPECT_EQ(bytes, head);
  }
}

}  // namespace
}  // namespace heddle::http
