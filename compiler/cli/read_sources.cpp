#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <system_error>
#include <utility>

#include "compiler/cli/pipeline.h"

namespace heddle::cli {

namespace fs = std::filesystem;

namespace {

Error io_error(const std::string& what, const std::string& path, const std::string& reason) {
  return {ErrorKind::io, "cannot " + what + " `" + path + "`: " + reason, ""};
}

/// At most one byte more than a policy file may have: the front end then says that it is too long.
Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return io_error("read", path, std::strerror(errno));
  std::string text(source::max_file_bytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) return io_error("read", path, std::strerror(errno));
  text.resize(static_cast<std::size_t>(file.gcount()));
  text.shrink_to_fit();
  return text;
}

class Reader {
 public:
  explicit Reader(source::SourceManager& sources) : sources_(sources) {}

  Result<void> add_argument(const std::string& argument) {
    std::error_code error;
    const fs::file_status status = fs::status(argument, error);
    if (!fs::exists(status)) {
      const Error missing{ErrorKind::not_found, "no file or folder `" + argument + "`", ""};
      return error && error != std::errc::no_such_file_or_directory
                 ? io_error("open", argument, error.message())
                 : missing;
    }
    if (fs::is_directory(status)) return add_folder(argument);
    if (fs::is_character_file(status) || fs::is_block_file(status)) {
      return Error{ErrorKind::usage, "`" + argument + "` is a device, not a policy file", ""};
    }
    return add_file(argument, fs::path(argument).filename().string());
  }

 private:
  Result<void> add_folder(const std::string& folder) {
    std::error_code error;
    std::vector<fs::path> found;
    fs::recursive_directory_iterator it(folder, error);
    for (; !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
      std::error_code ignored;
      if (it->path().extension() == ".mesh" && it->is_regular_file(ignored)) found.push_back(it->path());
    }
    if (error) return io_error("read folder", folder, error.message());
    if (found.empty()) {
      return Error{
          ErrorKind::not_found, "no `*.mesh` file below folder `" + folder + "`",
          "name the files of the policy, or the folder that has them; `heddle init` writes a first one"};
    }
    std::sort(found.begin(), found.end());
    for (const fs::path& path : found) {
      if (auto added = add_file(path.string(), path.lexically_relative(folder).generic_string()); !added)
        return added;
    }
    return {};
  }

  /// A file that is reached twice (`policy/ policy/a.mesh`) counts once.
  Result<void> add_file(const std::string& name, const std::string& path) {
    std::error_code error;
    const fs::path same = fs::canonical(name, error);
    if (!error && !seen_.insert(same.string()).second) return {};
    auto text = read_file(name);
    if (!text) return text.error();
    sources_.add(name, std::move(*text), path);
    return {};
  }

  source::SourceManager& sources_;
  std::set<std::string> seen_;
};

}  // namespace

Result<void> read_sources(const std::vector<std::string>& paths, source::SourceManager& sources) {
  if (paths.empty())
    return Error{ErrorKind::usage, "no policy was named", "name a folder or files: `heddle check policy/`"};
  Reader reader(sources);
  for (const std::string& path : paths) {
    if (auto added = reader.add_argument(path); !added) return added;
  }
  return {};
}

}  // namespace heddle::cli
