// What Agent tells whoever asks; the rest of the class is in agent.cpp.
#include <unistd.h>

#include <array>

#include "runtime/agent/agent.h"
#include "runtime/loader/fast_figures.h"

namespace heddle::agent {

nlohmann::json Agent::handle(const Json& request, std::span<const std::byte> payload) {
  const auto found = request.find("op");
  const std::string operation = found != request.end() && found->is_string() ? found->get<std::string>() : "";
  if (operation == "status") return {{"ok", true}, {"status", status()}};
  if (operation == "reload") return handle_reload(payload);
  if (operation == "detach") {
    if (Result<void> done = detach(); !done) return Control::failure(done.error());
    loop_.stop();
    return {{"ok", true}, {"pid", ::getpid()}};
  }
  return Control::failure({ErrorKind::usage, "unknown request `" + operation + "`",
                           "use the `heddle` that belongs to this `heddled`"});
}

nlohmann::json Agent::handle_reload(std::span<const std::byte> file) {
  if (Result<void> done = reload(bundle::open(file)); !done) return Control::failure(done.error());
  return {{"ok", true},
          {"generation", policy_->generation().number()},
          {"digest", policy_->generation().digest()}};
}

nlohmann::json Agent::status() const {
  const bundle::Manifest& manifest = policy_->manifest();
  Json workers = Json::array();
  for (const Workers::Status& worker : workers_->status()) {
    workers.push_back({{"number", worker.number},
                       {"pid", worker.pid},
                       {"ready", worker.ready},
                       {"restarts", worker.restarts}});
  }
  const Json identities = identities_ != nullptr ? identities_->status() : Json();
  return {
      {"pid", ::getpid()},
      {"started", started_},
      {"cgroup_root", node_.cgroup_root()},
      {"pins", node_.folder()},
      {"adopted", adopted_},
      {"generation", policy_->generation().number()},
      {"bundle",
       {{"digest", policy_->generation().digest()},
        {"mesh", manifest.mesh},
        {"compiler", manifest.compiler},
        {"source_digest", manifest.source_digest}}},
      {"listeners", {{"ipv4", workers_->listeners().ports.port4}, {"ipv6", workers_->listeners().ports.port6}}},
      {"namespaces", status_of_namespaces()},
      {"workers", workers},
      {"identities", identities},
      {"workloads", status_of_workloads()},
      {"fast_path", status_of_fast_path()},
      {"rules", status_of_rules()},
      {"connections_before_attach", status_of_connections()},
      {"events", {{"received", events_}, {"lost", loader::lost_events(node_.state())}}},
      {"last_reload",
       {{"ok", last_reload_.ok},
        {"digest", last_reload_.digest},
        {"error", last_reload_.error},
        {"help", last_reload_.help},
        {"time", last_reload_.time}}},
  };
}

/// Element b: requests below 2^b microseconds that no element before has; the zeros behind the last are left
/// out.
nlohmann::json Agent::latency_of(std::uint32_t counter) const {
  Json buckets = Json::array();
  const Result<hd_latency> latency = loader::read_latency(node_.state(), counter);
  std::size_t used = HD_LATENCY_BUCKETS;
  while (latency && used > 0 && latency->buckets[used - 1] == 0) --used;
  for (std::size_t b = 0; latency && b < used; ++b) buckets.push_back(latency->buckets[b]);
  return buckets;
}

nlohmann::json Agent::status_of_rules() const {
  Json rules = Json::array();
  const bundle::Manifest& manifest = policy_->manifest();
  for (std::size_t i = 0; i < manifest.rules.size(); ++i) {
    const bundle::Manifest::Rule& rule = manifest.rules[i];
    const Result<std::uint64_t> count =
        loader::read_counter(node_.state(), policy_->generation().counters()[i]);
    Json entry = {{"id", rule.id},
                  {"decisions", count ? *count : 0},
                  {"latency_us", latency_of(policy_->generation().counters()[i])}};
    if (!rule.file.empty()) entry.update({{"file", rule.file}, {"line", rule.line}, {"column", rule.column}});
    rules.push_back(std::move(entry));
  }
  return rules;
}

nlohmann::json Agent::status_of_workloads() const {
  Json workloads = Json::array();
  const Result<loader::FastFigures> figures = loader::read_fast_figures(node_.state());
  for (const bundle::Manifest::Workload& workload : policy_->manifest().workloads) {
    const std::string off = why_not_fast(static_cast<std::uint32_t>(workloads.size()));
    workloads.push_back({{"name", workload.name},
                         {"pattern", workload.cgroup},
                         {"cgroups", Json::array()},
                         {"fast_path", {{"on", off.empty()}, {"reason", off}}},
                         {"requests", {{"kernel", 0}, {"handler", 0}}},
                         {"clients", 0},
                         {"queued_bytes", 0}});
  }
  const auto add = [](Json& number, std::uint64_t more) { number = number.get<std::uint64_t>() + more; };
  for (const loader::CgroupTree::Workload& found : policy_->tree().workloads()) {
    Json& entry = workloads[found.index];
    entry["cgroups"].push_back(node_.cgroup_root() + "/" + found.path);
    if (!figures) continue;
    const auto held = figures->by_cgroup.find(found.id);
    if (held == figures->by_cgroup.end()) continue;
    add(entry["clients"], held->second.clients);
    add(entry["queued_bytes"], held->second.use.queued);
    add(entry["requests"]["kernel"], held->second.use.kernel);
    add(entry["requests"]["handler"], held->second.use.handler);
  }
  return workloads;
}

/// Empty: its requests may go fast.
std::string Agent::why_not_fast(std::uint32_t workload) const {
  if (fast_path_.landing == HD_FAST_OFF) return fast_path_.reason;
  hd_workload entry{};
  if (loader::read_entry(policy_->generation().table("hd_workloads"), &workload, &entry) &&
      (entry.flags & HD_WORKLOAD_NOT_FAST) != 0) {
    return "the policy says `fast_path off`";
  }
  return "";
}

/// Network namespaces of workloads, beside the own.
nlohmann::json Agent::status_of_namespaces() const {
  Json namespaces = Json::array();
  for (const Namespaces::Status& found : namespaces_->status()) {
    namespaces.push_back({{"inode", found.inode},
                          {"netns_cookie", found.cookie},
                          {"pid", found.process},
                          {"ipv4", found.ports.port4},
                          {"ipv6", found.ports.port6},
                          {"problem", found.problem}});
  }
  return namespaces;
}

nlohmann::json Agent::status_of_fast_path() const {
  // In the order of hd_fast_counter.
  static constexpr std::array<const char*, HD_FAST_STALLED + 1> names = {
      "requests",    "responses",     "spilled",  "framed",    "not_armed", "unread",
      "not_landed",  "not_whole",     "not_canonical", "answered", "no_link", "no_memory",
      "switched_off", "failed",       "unasked",  "not_enrolled", "broken", "stalled"};
  const bool on = fast_path_.landing != HD_FAST_OFF;
  Json entry = {{"on", on}, {"reason", on ? "" : fast_path_.reason}};
  if (on) entry["landing"] = fast_path_.landing == HD_FAST_BY_TRACE ? "trace" : "references";
  const Result<loader::FastFigures> figures = loader::read_fast_figures(node_.state());
  if (!figures) return entry;
  for (std::size_t i = 0; i < names.size(); ++i) entry[names[i]] = figures->counts[i];
  entry.update({{"queued_bytes", figures->queued},
                {"flows", figures->flows},
                {"links", figures->links},
                {"idle_links", figures->idle_links},
                {"evictions", figures->evictions},
                {"slow_endpoints", figures->slow_endpoints}});
  return entry;
}

nlohmann::json Agent::status_of_connections() const {
  Json connections = Json::array();
  for (const OpenConnection& connection : still_open(before_attach_)) {
    connections.push_back({{"workload", connection.workload},
                           {"pid", connection.pid},
                           {"local", connection.local},
                           {"remote", connection.remote}});
  }
  return connections;
}

}  // namespace heddle::agent
