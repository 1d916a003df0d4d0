#include "tests/differential/shrink.h"

#include <functional>
#include <vector>

#include "compiler/eval/evaluator.h"
#include "tests/differential/agreement.h"
#include "tests/differential/compiled.h"
#include "tests/differential/parsed.h"

namespace heddle::differential {
namespace {

/// What differs on this policy and request; nothing either where the policy is no policy any more.
std::string differs(const std::string& text, const Case& made, const plan::CodeBounds& bounds) {
  const Parsed parsed = parse(text);
  if (!parsed.policy) return "";
  auto compiled = CompiledPolicy::make(*parsed.policy, parsed.sources, bounds, made.world ? made.world->agent : eval::Place{});
  if (!compiled) return "";
  const auto answers = compiled->decide({made});
  if (!answers || !answers->front()) return "";
  const eval::Evaluator evaluator(*parsed.policy, made.world.value_or(eval::World{}));
  return difference(*parsed.policy, evaluator.decide(made.request), *answers->front());
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    const std::size_t next = end == std::string::npos ? text.size() : end + 1;
    lines.push_back(text.substr(begin, next - begin));
    begin = next;
  }
  return lines;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line;
  return text;
}

/// Leaves out lines, from the last to the first, as long as `still` says so.
std::string without_lines(const std::string& text, const std::function<bool(const std::string& line)>& may_go,
                          const std::function<bool(const std::string& text)>& still) {
  std::vector<std::string> lines = lines_of(text);
  for (std::size_t at = lines.size(); at-- > 0;) {
    if (!may_go(lines[at])) continue;
    std::vector<std::string> fewer = lines;
    fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(at));
    if (still(joined(fewer))) lines = std::move(fewer);
  }
  return joined(lines);
}

bool is_rule(const std::string& line) {
  return line.starts_with("  when ") || line.starts_with("  allow ") || line.starts_with("  deny ");
}

std::string world_text(const Case& made) {
  if (!made.world) return "";
  const eval::Place& agent = made.world->agent;
  std::string text = "\n---- agent in zone `" + agent.zone + "`, node `" + agent.node + "`\n---- endpoints";
  for (const auto& [address, state] : made.world->endpoints) {
    text += "\n  " + address.text() + (state.unhealthy ? " unhealthy" : "") +
            (state.ejected ? " ejected" : "") + " in flight " + std::to_string(state.in_flight);
  }
  return text;
}

}  // namespace

std::string smallest_difference(const std::string& text, const Case& made, const plan::CodeBounds& bounds) {
  if (differs(text, made, bounds).empty()) return "a difference that does not show twice, on the policy\n" + text;
  const std::string policy =
      without_lines(text, is_rule, [&](const std::string& fewer) { return !differs(fewer, made, bounds).empty(); });
  Case shorter = made;
  shorter.request.head = without_lines(
      made.request.head, [](const std::string&) { return true; },
      [&](const std::string& fewer) {
        Case tried = shorter;
        tried.request.head = fewer;
        return !differs(policy, tried, bounds).empty();
      });
  return "---- policy\n" + policy + "---- request from " + made.request.spiffe.value_or("nobody") + " to " +
         made.request.destination.text() + ", draw " + std::to_string(made.request.draw) + "\n" +
         (made.request.sni ? "  sni " + printable_head(*made.request.sni) : "") + printable_head(shorter.request.head) + world_text(made) + "\n---- differs, where more than " +
         std::to_string(bounds.rules) + " rules become tables\n" + differs(policy, shorter, bounds);
}

}  // namespace heddle::differential
