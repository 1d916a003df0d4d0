#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/source/span.h"

namespace heddle::source {

/// A file longer than this is refused with a diagnostic; whoever reads files needs no more than one byte
/// beyond it.
inline constexpr std::size_t max_file_bytes = 4u << 20;

/// Line and column count from 1; the column counts bytes.
struct Position {
  std::uint32_t line = 1;
  std::uint32_t column = 1;
};

/// The texts of a policy. Files keep their ids for the manager's life.
class SourceManager {
 public:
  /// `name` is how messages call the file (as the user gave it), `path` how a bundle does: relative to the
  /// folder that was given, so that it does not depend on where the policy lies. Empty: the same as `name`.
  FileId add(std::string name, std::string text, std::string path = {});

  [[nodiscard]] std::size_t file_count() const { return files_.size(); }
  [[nodiscard]] const std::string& name(FileId file) const;
  [[nodiscard]] const std::string& path(FileId file) const;
  [[nodiscard]] std::string_view text(FileId file) const;
  /// The bytes of a span; cut at the end of the file.
  [[nodiscard]] std::string_view text(Span span) const;

  [[nodiscard]] Position position(FileId file, std::uint32_t offset) const;
  /// A line without its end; `line` counts from 1 and exists.
  [[nodiscard]] std::string_view line(FileId file, std::uint32_t line) const;

  /// All files by path (then name), the order in which everything that follows looks at them.
  [[nodiscard]] std::vector<FileId> files_in_order() const;

 private:
  struct File {
    std::string name;
    std::string path;
    std::string text;
    std::vector<std::uint32_t> line_starts;
  };
  [[nodiscard]] const File& get(FileId file) const;

  std::vector<File> files_;
};

}  // namespace heddle::source
