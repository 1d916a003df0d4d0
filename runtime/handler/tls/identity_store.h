#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/handler/tls/identity.h"

namespace heddle::tls {

/// For `heddle status`.
struct IdentityReport {
  std::string name;                          // of the folder
  std::shared_ptr<const Identity> identity;  // in use; null: there never was a right one
  std::optional<Error> error;                // why the folder's content is not in use, or that it has expired
};

/// The identities of this node: a folder with one folder for each, which has svid.pem, key.pem and bundle.pem. What is wrong is not
/// taken over: what was right stays in use, until it expires. Names that begin with a dot are left alone, as are files.
///
/// A folder's three files are read from the folder that was opened: who renames a new folder into the place of an old one is seen as
/// a whole. Files that are replaced one by one may be seen in between; then the key is not that of the certificate, the old identity
/// stays, and the next call sees the rest.
class IdentityStore {
 public:
  explicit IdentityStore(std::string folder) : folder_(std::move(folder)) {}

  /// Looks for changes, and takes over what is right. True: `find` or `reports` say something new. While nothing changes this
  /// costs four calls of the kernel for each identity. `now` in seconds since 1970.
  bool refresh(std::int64_t now);

  /// nullptr: no folder has that identity. One that has expired is found, too: see `Identity::remaining_life`.
  [[nodiscard]] std::shared_ptr<const Identity> find(const SpiffeId& id) const;
  /// In the order of names.
  [[nodiscard]] std::vector<IdentityReport> reports(std::int64_t now) const;
  /// Why the folder itself cannot be read.
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }

 private:
  /// What tells one content of a file from another without reading it.
  struct Stamp {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::int64_t size = -1;  // -1: there is none
    std::int64_t modified = 0;  // in nanoseconds, as is
    std::int64_t changed = 0;

    friend bool operator==(const Stamp&, const Stamp&) = default;
  };
  using Stamps = std::array<Stamp, 3>;

  struct Entry {
    Stamps stamps;
    bool look_again = true;  // the stamps do not settle it: too fresh, or refused for its date
    std::shared_ptr<const Identity> identity;
    std::optional<Error> error;
  };

  bool refresh_one(const std::string& name, std::int64_t now);
  bool lose(const std::string& name, Error error, std::int64_t now);
  bool take_over(Entry& entry, IdentityFiles files, std::int64_t now);
  Result<void> take_from_others(const Entry& entry, const SpiffeId& id, const std::string& path);
  Result<std::vector<std::string>> list() const;
  [[nodiscard]] Stamps look(int folder) const;

  std::string folder_;
  std::map<std::string, Entry> entries_;
  std::optional<Error> error_;
  std::uint64_t generation_ = 0;
};

}  // namespace heddle::tls
