#include "compiler/cli/ca.h"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <filesystem>
#include <iostream>
#include <limits>
#include <string>
#include <vector>

#include "compiler/cli/commands/commands.h"
#include "compiler/cli/exit_code.h"
#include "compiler/cli/folder.h"
#include "runtime/base/file.h"
#include "runtime/base/time_text.h"

namespace heddle::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* certificate_name = "ca.pem";
constexpr const char* key_name = "ca-key.pem";
constexpr std::size_t largest_file = 16384;
constexpr std::size_t longest_name = 200;  // of a folder; file systems end at 255, and drafts have longer ones
constexpr std::int64_t day = 24 * 60 * 60;

struct InitOptions {
  std::string folder;
  std::string trust_domain;
  int days = 365;
  bool force = false;
};

struct IssueOptions {
  std::string folder;
  std::vector<std::string> ids;
  std::string out;
  std::string ttl = "1h";
};

void declare_init(CLI::App& app, InitOptions& options) {
  app.add_option("DIR", options.folder, "where to write ca.pem and ca-key.pem")->required();
  app.add_option("--trust-domain", options.trust_domain, "of the policy's `mesh`")->type_name("NAME")->required();
  app.add_option("--days", options.days, "how long it may sign")->check(CLI::Range(1, 3650))->capture_default_str();
  app.add_flag("--force", options.force, "in place of a CA that is there; what that one issued is no longer believed");
}

void declare_issue(CLI::App& app, IssueOptions& options) {
  app.add_option("DIR", options.folder, "of the CA")->required();
  app.add_option("ID", options.ids, "SPIFFE IDs, or their paths below the trust domain")->required();
  app.add_option("--out", options.out, "for one folder of each identity, with svid.pem, key.pem and bundle.pem")->type_name("FOLDER")->required();
  app.add_option("--ttl", options.ttl, "how long they live: a number with s, m, h or d")->type_name("TIME")->capture_default_str();
}

Error bad_ttl(const std::string& text, const std::string& why) {
  return {ErrorKind::usage, "`--ttl " + text + "` is no time to live: " + why, "write a number with s, m, h or d: `--ttl 1h`"};
}

Result<std::int64_t> read_ttl(const std::string& text) {
  constexpr std::string_view units = "smhd";
  constexpr std::int64_t seconds[] = {1, 60, 60 * 60, day};
  std::int64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error == std::errc::result_out_of_range) return bad_ttl(text, "the number is too large");
  if (error != std::errc() || number < 0 || end - rest != 1 || units.find(*rest) == std::string_view::npos)
    return bad_ttl(text, "it is not a number with a unit");
  if (number == 0) return bad_ttl(text, "it is over at once");
  const std::int64_t unit = seconds[units.find(*rest)];
  // The largest date that a certificate can have is far below.
  if (number > std::numeric_limits<std::int32_t>::max() / unit) return bad_ttl(text, "the number is too large");
  return number * unit;
}

Result<std::string> read_text_file(const fs::path& path, const std::string& help) {
  const auto bytes = read_file(path.string(), largest_file);
  if (!bytes) return Error{bytes.error().kind, bytes.error().what, help};
  return std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size());
}

Result<Ca> load_ca(const std::string& folder, std::int64_t now) {
  auto certificate = read_text_file(fs::path(folder) / certificate_name, "`heddle ca init " + folder + " --trust-domain NAME` makes a CA");
  if (!certificate) return certificate.error();
  auto key = read_text_file(fs::path(folder) / key_name, "only who made the CA may read its key: issue as that user");
  if (!key) return key.error();
  return Ca::load({*certificate, *key}, folder, now);
}

Result<SpiffeId> read_id(const std::string& text, const std::string& trust_domain) {
  const bool is_path = text.find("://") == std::string::npos;
  const char* wrong = is_path ? wrong_in_spiffe_path(text) : nullptr;
  const SpiffeReading reading = read_spiffe_id(is_path ? "spiffe://" + trust_domain + "/" + text : text);
  if (wrong == nullptr) wrong = reading.wrong;
  if (wrong == nullptr && reading.id.path.empty()) wrong = "it has no path, and names nobody";
  if (wrong != nullptr)
    return Error{ErrorKind::usage, "`" + text + "` is no SPIFFE ID: " + wrong, "write it as the policy does: `ns/shop/sa/web`, or `spiffe://" + trust_domain + "/ns/shop/sa/web`"};
  if (reading.id.trust_domain != trust_domain)
    return Error{ErrorKind::usage, "`" + text + "` is in another trust domain than the CA, which issues for `" + trust_domain + "`",
                 "issue it from a CA of its own: `heddle ca init DIR --trust-domain " + reading.id.trust_domain + "`"};
  return reading.id;
}

/// A path as the name of a folder. No segment has a `+`.
Result<std::string> name_of(const SpiffeId& id) {
  std::string name = id.path;
  std::ranges::replace(name, '/', '+');
  if (name.starts_with(".")) name.insert(0, "+");  // the agent leaves names with a dot alone
  if (name.size() <= longest_name) return name;
  return Error{ErrorKind::usage, "`" + id.text() + "` is too long for the name of a folder", "write a path of up to 200 bytes"};
}

struct NewSvid {
  SpiffeId id;
  std::string folder;
  SvidFiles files;
};

/// All of them, before any is written.
Result<std::vector<NewSvid>> issue_all(const IssueOptions& options, std::int64_t now) {
  const auto ttl = read_ttl(options.ttl);
  if (!ttl) return ttl.error();
  const auto ca = load_ca(options.folder, now);
  if (!ca) return ca.error();
  std::vector<NewSvid> all;
  for (const std::string& text : options.ids) {
    const auto id = read_id(text, ca->trust_domain());
    if (!id) return id.error();
    const auto name = name_of(*id);
    if (!name) return name.error();
    if (std::ranges::any_of(all, [&](const NewSvid& other) { return other.id == *id; })) continue;
    auto files = ca->issue(*id, *ttl, now);
    if (!files) return files.error();
    all.push_back({*id, (fs::path(options.out) / *name).string(), std::move(*files)});
  }
  return all;
}

Result<void> make_folder(const std::string& path) {
  std::error_code reason;
  fs::create_directories(path, reason);
  if (!reason) return {};
  return system_error("cannot make `" + path + "`", reason.value());
}

Result<void> check_free(const InitOptions& options) {
  for (const char* name : {certificate_name, key_name}) {
    const std::string path = (fs::path(options.folder) / name).string();
    std::error_code reason;
    if (options.force || !fs::exists(fs::symlink_status(path, reason))) continue;
    return Error{ErrorKind::usage, "`" + path + "` exists, and is left as it is",
                 "name another folder, or use `--force`: what the old CA issued is then no longer believed"};
  }
  return {};
}

Result<void> init(const InitOptions& options) {
  if (Result<void> free = check_free(options); !free) return free;
  const auto files = make_ca(options.trust_domain, options.days * day, std::time(nullptr));
  if (!files) return files.error();
  if (Result<void> made = make_folder(options.folder); !made) return made;
  // A key without its certificate is refused when it is used.
  if (Result<void> written = replace_file(options.folder, {key_name, files->key, 0600}); !written) return written;
  return replace_file(options.folder, {certificate_name, files->certificate, 0644});
}

int run_init(const InitOptions& options) {
  if (Result<void> done = init(options); !done) return report_error(done.error());
  std::cout << "wrote " << options.folder << "/" << certificate_name << ", which signs for spiffe://" << options.trust_domain << "\n"
            << "next:  heddle ca issue " << options.folder << " ns/shop/sa/web --out svids\n";
  return exit_ok;
}

int run_issue(const IssueOptions& options) {
  const auto all = issue_all(options, std::time(nullptr));
  if (!all) return report_error(all.error());
  if (Result<void> made = make_folder(options.out); !made) return report_error(made.error());
  for (const NewSvid& svid : *all) {
    const Result<void> written =
        replace_folder(svid.folder, {{"svid.pem", svid.files.svid, 0644}, {"key.pem", svid.files.key, 0600}, {"bundle.pem", svid.files.bundle, 0644}});
    if (!written) return report_error(written.error());
    std::cout << "wrote " << svid.folder << ": " << svid.id.text() << " until " << time_text(svid.files.not_after) << "\n";
  }
  return exit_ok;
}

}  // namespace

void add_ca(CommandSet& commands) {
  CommandSet ca = commands.add_group({"ca", "A CA for development, and short-lived SVIDs from it",
                                      "heddle ca init ca --trust-domain shop.example\n"
                                      "heddle ca issue ca ns/shop/sa/web ns/shop/sa/reviews --out svids"});
  ca.add<InitOptions>({"init", "Make a CA for a trust domain", "heddle ca init ca --trust-domain shop.example"}, declare_init, run_init);
  ca.add<IssueOptions>({"issue", "Issue SVIDs, each in a folder that the agent reads", "heddle ca issue ca ns/shop/sa/web --out svids --ttl 1h"},
                       declare_issue, run_issue);
}

}  // namespace heddle::cli
