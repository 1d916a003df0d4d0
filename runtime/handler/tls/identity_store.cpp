#include "runtime/handler/tls/identity_store.h"

#include <dirent.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <utility>

#include "runtime/base/fd.h"
#include "runtime/base/file.h"
#include "runtime/base/time_text.h"

namespace heddle::tls {
namespace {

constexpr std::int64_t nanoseconds = 1'000'000'000;
/// A file may be written twice within one tick of the clock that stamps it.
constexpr std::int64_t fresh = 2;  // seconds

struct Part {
  const char* file;
  std::string IdentityFiles::* text;
  std::size_t limit;
};
constexpr std::array<Part, 3> parts = {{{"svid.pem", &IdentityFiles::svid, largest_pem},
                                        {"key.pem", &IdentityFiles::key, largest_key},
                                        {"bundle.pem", &IdentityFiles::bundle, largest_pem}}};

std::int64_t in_nanoseconds(const timespec& time) {
  return time.tv_sec * nanoseconds + time.tv_nsec;
}

bool equal(const std::optional<Error>& one, const std::optional<Error>& other) {
  return one.has_value() == other.has_value() && (!one || (one->what == other->what && one->help == other->help));
}

Error missing(Error error, const std::string& path) {
  error.help = "the agent reads svid.pem, key.pem and bundle.pem of every folder beside `" + path + "`: let it read them, or take the folder away";
  return error;
}

Result<std::string> read_at(int folder, const Part& part, const std::string& folder_path) {
  const std::string path = folder_path + "/" + part.file;
  const UniqueFd file(::openat(folder, part.file, O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) return missing(system_error("cannot open `" + path + "`", errno), folder_path);
  struct stat info{};
  if (::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) return missing({ErrorKind::invalid, "`" + path + "` is no file", ""}, folder_path);
  auto bytes = read_open_file(file.get(), path, part.limit);
  if (!bytes) return missing(bytes.error(), folder_path);
  std::string text(reinterpret_cast<const char*>(bytes->data()), bytes->size());
  OPENSSL_cleanse(bytes->data(), bytes->size());
  return text;
}

bool is_in_place(int folder, const std::string& path) {
  struct stat opened{};
  struct stat there{};
  return ::fstat(folder, &opened) == 0 && ::stat(path.c_str(), &there) == 0 && opened.st_dev == there.st_dev && opened.st_ino == there.st_ino;
}

Result<IdentityFiles> read_files(int folder, const std::string& path) {
  IdentityFiles files;
  files.name = path;
  for (const Part& part : parts) {
    Result<std::string> text = read_at(folder, part, path);
    if (!text) return text.error();
    files.*part.text = std::move(*text);
  }
  return files;
}

}  // namespace

bool IdentityStore::refresh(std::int64_t now) {
  const Result<std::vector<std::string>> names = list();
  const std::optional<Error> before = error_;
  error_ = names ? std::nullopt : std::optional<Error>(names.error());
  bool changed = !equal(before, error_);
  if (!names) return changed;
  std::set<std::string> all(names->begin(), names->end());
  for (const auto& [name, _] : entries_) all.insert(name);
  for (const std::string& name : all) changed = refresh_one(name, now) || changed;
  return changed;
}

bool IdentityStore::refresh_one(const std::string& name, std::int64_t now) {
  const std::string path = folder_ + "/" + name;
  const UniqueFd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return lose(name, missing(system_error("cannot open `" + path + "`", errno), path), now);
  Entry& entry = entries_[name];
  const Stamps stamps = look(folder.get());
  if (!entry.look_again && stamps == entry.stamps) return false;
  Result<IdentityFiles> files = read_files(folder.get(), path);
  // Who renews an identity may empty the old folder while it is read here: what is in its place counts, at the next call.
  entry.look_again = true;
  if (!is_in_place(folder.get(), path)) return false;
  const std::optional<Error> before = std::exchange(entry.error, std::nullopt);
  if (!files) entry.error = files.error();
  const bool changed = files && take_over(entry, std::move(*files), now);
  entry.stamps = stamps;
  const auto is_fresh = [&](const Stamp& stamp) { return std::max(stamp.modified, stamp.changed) / nanoseconds > now - fresh; };
  // What was refused may be right later: for its dates, or because another folder gave way.
  entry.look_again = entry.error.has_value() || std::ranges::any_of(stamps, is_fresh) || look(folder.get()) != stamps;
  return changed || !equal(before, entry.error);
}

/// The folder is not there. What is in use stays until it expires; then nothing is known of that name any more.
bool IdentityStore::lose(const std::string& name, Error error, std::int64_t now) {
  Entry& entry = entries_[name];
  const bool gone = error.kind == ErrorKind::not_found;
  if (gone && (!entry.identity || entry.identity->remaining_life(now) <= 0)) return entries_.erase(name) == 1;
  entry.look_again = true;
  const std::optional<Error> before = std::exchange(entry.error, std::move(error));
  return !equal(before, entry.error);
}

/// True: another identity is in use.
bool IdentityStore::take_over(Entry& entry, IdentityFiles files, std::int64_t now) {
  if (entry.identity && entry.identity->files() == files) {
    OPENSSL_cleanse(files.key.data(), files.key.size());
    return false;
  }
  const std::string path = files.name;
  const auto made = Identity::make(std::move(files), generation_ + 1, now);
  const Result<void> free = made ? take_from_others(entry, (*made)->id(), path) : made.error();
  if (!free) {
    entry.error = free.error();
    return false;
  }
  ++generation_;
  entry.identity = *made;
  return true;
}

/// An identity has one folder. One that cannot be read any more gives way.
Result<void> IdentityStore::take_from_others(const Entry& entry, const SpiffeId& id, const std::string& path) {
  for (auto& [name, other] : entries_) {
    if (&other == &entry || !other.identity || other.identity->id() != id) continue;
    if (!other.error)
      return Error{ErrorKind::invalid, "`" + path + "` has the identity of `" + folder_ + "/" + name + "`, which stays in use",
                   "take one of the two folders away"};
    other.identity.reset();
  }
  return {};
}

std::shared_ptr<const Identity> IdentityStore::find(const SpiffeId& id) const {
  for (const auto& [_, entry] : entries_) {
    if (entry.identity && entry.identity->id() == id) return entry.identity;
  }
  return nullptr;
}

std::vector<IdentityReport> IdentityStore::reports(std::int64_t now) const {
  std::vector<IdentityReport> all;
  for (const auto& [name, entry] : entries_) {
    IdentityReport& report = all.emplace_back(IdentityReport{name, entry.identity, entry.error});
    if (!report.error && report.identity && report.identity->remaining_life(now) <= 0)
      report.error = Error{ErrorKind::invalid, "`" + folder_ + "/" + name + "` has expired at " + time_text(report.identity->not_after()),
                           "renew it: for development, `heddle ca issue` writes a new one"};
  }
  return all;
}

Result<std::vector<std::string>> IdentityStore::list() const {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(folder_.c_str()), ::closedir);
  if (!folder) {
    Error error = system_error("cannot open `" + folder_ + "`", errno);
    error.help = "make it, with one folder for each identity: for development, `heddle ca issue` does";
    return error;
  }
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(folder.get())) {
    const std::string name = entry->d_name;
    // A link may lead to a folder: opening it will tell.
    if (!name.starts_with(".") && (entry->d_type == DT_DIR || entry->d_type == DT_LNK || entry->d_type == DT_UNKNOWN)) names.push_back(name);
  }
  return names;
}

IdentityStore::Stamps IdentityStore::look(int folder) const {
  Stamps stamps;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    struct stat info{};
    if (::fstatat(folder, parts[i].file, &info, 0) != 0) continue;
    stamps[i] = {info.st_dev, info.st_ino, info.st_size, in_nanoseconds(info.st_mtim), in_nanoseconds(info.st_ctim)};
  }
  return stamps;
}

}  // namespace heddle::tls
