#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "runtime/base/result.h"

struct bpf_object;

namespace heddle::loader {

struct ObjectCloser {
  void operator()(bpf_object* object) const;
};
using Object = std::unique_ptr<bpf_object, ObjectCloser>;

/// Parses the ELF object; nothing is created in the kernel.
Result<Object> open_object(std::span<const std::byte> elf, const std::string& name);

/// Creates its maps and has its programs verified. A refusal by the verifier is ErrorKind::verifier, with the
/// end of its log.
Result<void> load_object(bpf_object& object);

/// What libbpf says on this thread while this lives; without one it is dropped.
class LogCapture {
 public:
  LogCapture();
  ~LogCapture();
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
  std::string* outer_;
};

}  // namespace heddle::loader
