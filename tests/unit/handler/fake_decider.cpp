#include "tests/unit/handler/fake_decider.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <charconv>
#include <cstring>

namespace heddle::handler {

namespace {

enum FakeRule : std::uint32_t {
  malformed,
  path,
  outside,
  route,
  denied,
  responded,
  big,
  unhealthy,
  hasty,
  full,
  timeout,
  fake_rules
};

constexpr std::string_view names[] = {
    "mesh/malformed",      "mesh/path",         "mesh/outside",        "route echo/1",
    "access echo/default", "route echo/2",      "route echo/3",        "service echo/unhealthy",
    "route echo/4",        "service echo/full", "service echo/timeout"};

void set_verdict(hd_decision& decision, hd_verdict verdict, std::uint16_t status, FakeRule rule) {
  decision.verdict = static_cast<hd_u16>(verdict);
  decision.status = status;
  decision.rule = rule;
}

void set_address(hd_decision& decision, bool v6, std::uint16_t port) {
  std::memset(decision.address, 0, sizeof decision.address);
  decision.address[15] = 1;
  if (!v6) {
    decision.address[10] = decision.address[11] = 0xff;
    decision.address[12] = 127;
  }
  decision.port = port;
}

}  // namespace

/// Tables with memory of their own.
struct FakeDecider::Texts {
  std::vector<hd_rule> rules{fake_rules};
  std::vector<hd_service> services{1};
  std::vector<hd_answer> answers;
  std::string blob;

  Texts() {
    for (std::uint32_t i = 0; i < fake_rules; ++i) {
      rules[i].name_offset = add(names[i]);
      rules[i].name_length = static_cast<hd_u32>(names[i].size());
    }
    set_body(responded, "hello\n");
    set_body(responded, "{}", "application/json");
    hd_answer redirect{};
    redirect.flags = HD_ANSWER_REDIRECT | HD_ANSWER_HTTPS;
    redirect.prefix = text("/redirect");
    redirect.path = text("/there");
    add_answer(responded, redirect);
    set_body(big, std::string(300'000, 'b'));
    rules[hasty].timeout_ms = hasty_ms;
    services[0].name_offset = add("echo");
    services[0].name_length = 4;
    services[0].unhealthy_rule = unhealthy;
    services[0].full_rule = full;
    services[0].timeout_rule = timeout;
  }
  hd_u32 add(std::string_view text) {
    const auto offset = static_cast<hd_u32>(blob.size());
    blob += text;
    return offset;
  }
  hd_text text(std::string_view written) { return {add(written), static_cast<hd_u32>(written.size())}; }
  void add_answer(FakeRule rule, const hd_answer& answer) {
    if (rules[rule].answers++ == 0) rules[rule].first_answer = static_cast<hd_u32>(answers.size());
    answers.push_back(answer);
  }
  void set_body(FakeRule rule, const std::string& written, std::string_view type = {}) {
    hd_answer answer{};
    answer.body = text(written);
    answer.type = text(type);
    add_answer(rule, answer);
  }
};

FakeDecider::FakeDecider(std::uint16_t default_port)
    : default_port_(default_port), slots_(HD_ROUND_MAX), arena_(HD_PAGES_PER_WORKER * HD_PAGE_SIZE) {
  struct OwnTables final : Tables {
    explicit OwnTables(std::unique_ptr<Texts> owned)
        : Tables({owned->rules, owned->services, owned->answers, {}, {}, {}, {}, owned->blob}), texts(std::move(owned)) {}
    std::unique_ptr<Texts> texts;
  };
  auto texts = std::make_unique<Texts>();
  texts_ = texts.get();
  tables_ = std::make_shared<OwnTables>(std::move(texts));
}

std::optional<hd_connection> FakeDecider::find_origin(int accepted) {
  if (knows_nobody) return std::nullopt;
  hd_connection origin{};
  origin.cgroup = 42;
  origin.flow = flow;
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  ::getpeername(accepted, reinterpret_cast<sockaddr*>(&peer), &size);
  origin.source_port = ntohs(reinterpret_cast<const sockaddr_in*>(&peer)->sin_port);
  return origin;
}

std::shared_ptr<const Tables> FakeDecider::tables(std::uint64_t generation) {
  texts_->services[0].pending_max = pending_max;
  texts_->services[0].transport = transport;
  return generation == 1 ? tables_ : nullptr;
}

bool FakeDecider::run(std::uint32_t count) {
  ++calls;
  if (fails) return false;
  std::uint32_t decided = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    hd_slot& slot = slots_[i];
    if (slot.op == HD_OP_FINISH) {
      if (keeps_record) events.push_back(slot.finish);
      continue;
    }
    const std::size_t offset = std::size_t{slot.request.page - first_page()} * HD_PAGE_SIZE;
    const std::string_view head(arena_.data() + offset, slot.request.head_length);
    slot.decision = decide(slot.request, head);
    ++decided;
    if (!keeps_record) continue;
    heads.emplace_back(head);
    forms.push_back(slot.request.form);
  }
  requests += decided;
  most_in_one_call = std::max(most_in_one_call, decided);
  return true;
}

hd_decision FakeDecider::decide(const hd_request& request, std::string_view head) const {
  hd_decision decision{};
  if (request.form != HD_FORM_OK) {
    set_verdict(decision, HD_VERDICT_REFUSE, request.form, malformed);
  } else {
    const std::size_t begin = head.find(' ') + 1;
    decision = decide_path(head.substr(begin, head.find(' ', begin) - begin));
  }
  decision.generation = 1;
  return decision;
}

hd_decision FakeDecider::decide_path(std::string_view target) const {
  hd_decision decision{};
  if (denies_all || target.starts_with("/deny")) {
    set_verdict(decision, HD_VERDICT_DENY, 403, denied);
  } else if (target.starts_with("/respond")) {
    set_verdict(decision, HD_VERDICT_RESPOND, 200, responded);
  } else if (target.starts_with("/json")) {
    set_verdict(decision, HD_VERDICT_RESPOND, 200, responded);
    decision.port = 1;
  } else if (target.starts_with("/redirect")) {
    set_verdict(decision, HD_VERDICT_RESPOND, 308, responded);
    decision.port = 2;
  } else if (target.starts_with("/big")) {
    set_verdict(decision, HD_VERDICT_RESPOND, 200, big);
  } else if (target.starts_with("/refuse")) {
    set_verdict(decision, HD_VERDICT_REFUSE, 400, path);
  } else if (target.starts_with("/unhealthy")) {
    set_verdict(decision, HD_VERDICT_UNHEALTHY, 503, unhealthy);
  } else if (target.starts_with("/outside")) {
    set_verdict(decision, HD_VERDICT_OUTSIDE, 0, outside);
  } else {
    const bool v6 = target.starts_with("/to6/");
    std::uint16_t port = default_port_;
    if (v6 || target.starts_with("/to/")) {
      const std::string_view digits = target.substr(v6 ? 5 : 4);
      std::from_chars(digits.data(), digits.data() + digits.size(), port);
    }
    set_verdict(decision, HD_VERDICT_FORWARD, 0, target.starts_with("/hasty") ? hasty : route);
    decision.counted = 1;
    set_address(decision, v6, port);
  }
  return decision;
}

}  // namespace heddle::handler
