#include "tests/fuzz/frontend/pages.h"

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <vector>

namespace heddle::fuzz {

std::string read_source(const std::string& path) {
  std::ifstream file(std::filesystem::path(HEDDLE_SOURCE_DIR) / path, std::ios::binary);
  if (!file) std::abort();
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string reference_policy(bool with_later) {
  const std::string page = read_source("docs/language.md");
  std::vector<std::string> fences{"```mesh\n"};
  if (with_later) fences.emplace_back("```mesh later\n");
  std::string policy;
  for (const std::string& fence : fences) {
    for (std::size_t at = page.find(fence); at != std::string::npos; at = page.find(fence, at)) {
      at += fence.size();
      policy += page.substr(at, page.find("```", at) - at);
    }
  }
  if (policy.empty()) std::abort();
  return policy;
}

}  // namespace heddle::fuzz
