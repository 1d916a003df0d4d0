#include "compiler/source/source_manager.h"

#include <algorithm>
#include <cstdlib>
#include <tuple>
#include <utility>

namespace heddle::source {

FileId SourceManager::add(std::string name, std::string text, std::string path) {
  File file;
  file.path = path.empty() ? name : std::move(path);
  file.name = std::move(name);
  file.text = std::move(text);
  file.line_starts.push_back(0);
  for (std::size_t i = 0; i < file.text.size(); ++i) {
    if (file.text[i] == '\n') file.line_starts.push_back(static_cast<std::uint32_t>(i + 1));
  }
  files_.push_back(std::move(file));
  return static_cast<FileId>(files_.size() - 1);
}

const SourceManager::File& SourceManager::get(FileId file) const {
  if (file >= files_.size()) std::abort();
  return files_[file];
}

const std::string& SourceManager::name(FileId file) const {
  return get(file).name;
}
const std::string& SourceManager::path(FileId file) const {
  return get(file).path;
}
std::string_view SourceManager::text(FileId file) const {
  return get(file).text;
}

std::string_view SourceManager::text(Span span) const {
  const std::string_view all = get(span.file).text;
  const std::size_t begin = std::min<std::size_t>(span.begin, all.size());
  const std::size_t end = std::clamp<std::size_t>(span.end, begin, all.size());
  return all.substr(begin, end - begin);
}

Position SourceManager::position(FileId file, std::uint32_t offset) const {
  const auto& starts = get(file).line_starts;
  const auto next = std::upper_bound(starts.begin(), starts.end(), offset);
  const auto line = static_cast<std::uint32_t>(next - starts.begin());
  return {line, offset - *(next - 1) + 1};
}

std::string_view SourceManager::line(FileId file, std::uint32_t line) const {
  const File& f = get(file);
  if (line == 0 || line > f.line_starts.size()) std::abort();
  const std::size_t begin = f.line_starts[line - 1];
  std::size_t end = line < f.line_starts.size() ? f.line_starts[line] - 1 : f.text.size();
  if (end > begin && f.text[end - 1] == '\r') --end;
  return std::string_view(f.text).substr(begin, end - begin);
}

std::vector<FileId> SourceManager::files_in_order() const {
  std::vector<FileId> order(files_.size());
  for (FileId i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [this](FileId a, FileId b) {
    return std::tie(files_[a].path, files_[a].name) < std::tie(files_[b].path, files_[b].name);
  });
  return order;
}

}  // namespace heddle::source
