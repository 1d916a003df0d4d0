#include "tests/differential/parsed.h"

#include "compiler/diagnostics/render.h"
#include "compiler/sema/check.h"

namespace heddle::differential {

Parsed parse(const std::string& text) {
  Parsed parsed;
  parsed.sources.add("generated.mesh", text);
  diagnostics::Sink sink;
  parsed.policy = sema::check(parsed.sources, sink);
  if (!parsed.policy) parsed.complaint = diagnostics::render_pretty(sink, parsed.sources, false);
  return parsed;
}

}  // namespace heddle::differential
