#include "runtime/agent/identities.h"

#include <spdlog/spdlog.h>

#include <ctime>

#include "runtime/handler/tls/handover.h"

namespace heddle::agent {
namespace {

constexpr std::chrono::milliseconds look_every{500};
// A ticket is opened as long as it lives: the key that sealed it, and the one before.
constexpr std::int64_t keys_for = tls::ticket_life;

std::string text_of(const tls::IdentityReport& report, std::int64_t now) {
  if (report.error) return report.error->what;
  if (report.identity == nullptr) return "";
  return report.identity->is_due(now) ? "due" : "fine";
}

}  // namespace

Identities::Identities(Loop& loop, std::string folder) : loop_(loop), folder_(folder), store_(std::move(folder)) {}

void Identities::begin(Workers& workers) {
  workers_ = &workers;
  look();
}

void Identities::look() {
  const std::int64_t now = std::time(nullptr);
  const bool changed = store_.refresh(now);
  if (rotate_keys(now) || changed) hand_over();
  say_what_changed(now);
  loop_.after(look_every, [this] { look(); });
}

bool Identities::rotate_keys(std::int64_t now) {
  if (!keys_.empty() && now - keys_since_ < keys_for) return false;
  keys_.insert(keys_.begin(), tls::make_ticket_key());
  if (keys_.size() > 2) keys_.resize(2);
  keys_since_ = now;
  return true;
}

void Identities::hand_over() {
  tls::Handover handover{{}, keys_};
  for (const tls::IdentityReport& report : store_.reports(std::time(nullptr))) {
    if (report.identity != nullptr) handover.identities.push_back(report.identity);
  }
  if (Result<void> given = workers_->give_identities(tls::pack(handover)); !given)
    spdlog::error("the workers keep the identities that they have: {}", given.error().what);
}

/// Each thing once.
void Identities::say_what_changed(std::int64_t now) {
  std::map<std::string, std::string> said;
  if (store_.error()) said[""] = store_.error()->what;
  for (const tls::IdentityReport& report : store_.reports(now)) said[report.name] = text_of(report, now);
  for (const auto& [name, text] : said) {
    const auto before = said_.find(name);
    if (text.empty() || (before != said_.end() && before->second == text)) continue;
    if (text == "fine") {
      spdlog::info("identity name={} in use", name);
    } else if (text == "due") {
      spdlog::warn("identity name={} has a third of its life or less left; whoever renews it is late", name);
    } else {
      spdlog::error("identity name={} {}", name, text);
    }
  }
  said_.swap(said);
}

nlohmann::json Identities::status() const {
  const std::int64_t now = std::time(nullptr);
  nlohmann::json list = nlohmann::json::array();
  for (const tls::IdentityReport& report : store_.reports(now)) {
    nlohmann::json entry{{"name", report.name}};
    if (report.identity != nullptr) {
      entry["spiffe"] = report.identity->id().text();
      entry["seconds_left"] = report.identity->remaining_life(now);
      entry["due"] = report.identity->is_due(now);
    }
    if (report.error) {
      entry["error"] = report.error->what;
      entry["help"] = report.error->help;
    }
    list.push_back(std::move(entry));
  }
  nlohmann::json status{{"folder", folder_}, {"identities", std::move(list)}};
  if (store_.error()) status["error"] = store_.error()->what;
  return status;
}

}  // namespace heddle::agent
