#pragma once

#include <gtest/gtest.h>

#include <string>

#include "compiler/diagnostics/render.h"
#include "compiler/eval/evaluator.h"
#include "compiler/sema/check.h"

namespace heddle::eval {

/// A policy from its text, and questions to it.
struct Policy {
  source::SourceManager sources;
  model::Policy model;

  explicit Policy(const std::string& text) {
    sources.add("test.mesh", text);
    diagnostics::Sink sink;
    auto checked = sema::check(sources, sink);
    EXPECT_TRUE(checked) << diagnostics::render_pretty(sink, sources, false);
    if (checked) model = *checked;
  }
};

inline model::SocketAddress address(const std::string& ip, std::uint16_t port) {
  model::SocketAddress result;
  EXPECT_TRUE(model::parse_ip(ip, result.ip));
  result.port = port;
  return result;
}

}  // namespace heddle::eval
