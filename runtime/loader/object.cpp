#include "runtime/loader/object.h"

#include <bpf/libbpf.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <vector>

#include "runtime/base/file.h"
#include "runtime/loader/requirements.h"

namespace heddle::loader {
namespace {

constexpr std::size_t log_lines = 20;

thread_local std::string* capture = nullptr;

int print(libbpf_print_level level, const char* format, va_list arguments) {
  if (capture == nullptr || level == LIBBPF_DEBUG) return 0;
  va_list again;
  va_copy(again, arguments);
  const int size = std::vsnprintf(nullptr, 0, format, again);
  va_end(again);
  if (size <= 0) return 0;
  std::vector<char> text(static_cast<std::size_t>(size) + 1);
  std::vsnprintf(text.data(), text.size(), format, arguments);
  capture->append(text.data(), static_cast<std::size_t>(size));
  return size;
}

/// The last lines of a text, indented.
std::string tail(const std::string& text, std::size_t lines) {
  std::size_t start = text.size();
  while (start > 0 && lines > 0) {
    const std::size_t found = text.rfind('\n', start - 1);
    start = found == std::string::npos ? 0 : found;
    if (start == 0) break;
    --lines;
  }
  std::string out;
  for (std::size_t at = start; at < text.size();) {
    std::size_t end = text.find('\n', at);
    if (end == std::string::npos) end = text.size();
    if (end > at) out += "\n  " + text.substr(at, end - at);
    at = end + 1;
  }
  return out;
}

std::string between(const std::string& text, const std::string& begin, const std::string& end) {
  const std::size_t from = text.find(begin);
  if (from == std::string::npos) return {};
  const std::size_t start = from + begin.size();
  const std::size_t to = text.find(end, start);
  return text.substr(start, to == std::string::npos ? std::string::npos : to - start);
}

/// The function that the verifier was looking at when it refused; empty: the program itself.
std::string refused_function(const std::string& log) {
  const std::string begin = "Validating ";
  const std::size_t at = log.rfind(begin);
  if (at == std::string::npos || log.find("is safe for any args", at) != std::string::npos) return {};
  return between(log.substr(at), begin, "()");
}

/// The last line of its source that the log shows: `text @ file:line`, older kernels without the place.
std::string refused_line(const std::string& log) {
  const std::size_t at = log.rfind("\n; ");
  return at == std::string::npos ? std::string() : between(log.substr(at), "\n; ", "\n");
}

std::string refused_place(const std::string& log) {
  const std::string function = refused_function(log);
  if (function.empty()) return {};
  const std::string line = refused_line(log);
  return ", in function `" + function + "`" + (line.empty() ? "" : " at: " + line);
}

Error load_error(const std::string& log, int number) {
  const std::string verifier = between(log, "-- BEGIN PROG LOAD LOG --\n", "-- END PROG LOAD LOG --");
  if (!verifier.empty() && number != EPERM) {
    const std::string program = between(log, "prog '", "'");
    return Error{ErrorKind::verifier,
                 "the kernel's verifier refused program `" + program + "`" + refused_place(verifier) + tail(verifier, log_lines), ""};
  }
  if (number == EPERM) return bpf_refused();
  Error error = system_error("the kernel refused the programs", number);
  error.what += tail(log, log_lines);
  return error;
}

}  // namespace

LogCapture::LogCapture() : outer_(capture) {
  static const auto previous = libbpf_set_print(print);
  static_cast<void>(previous);
  capture = &text_;
}

LogCapture::~LogCapture() {
  capture = outer_;
}

void ObjectCloser::operator()(bpf_object* object) const {
  bpf_object__close(object);
}

Result<Object> open_object(std::span<const std::byte> elf, const std::string& name) {
  const LogCapture log;
  bpf_object_open_opts options{};
  options.sz = sizeof(options);
  options.object_name = name.c_str();
  bpf_object* object = bpf_object__open_mem(elf.data(), elf.size(), &options);
  if (object == nullptr) {
    return Error{ErrorKind::invalid,
                 "the programs cannot be read: " + std::string(std::strerror(errno)) + tail(log.text(), 5),
                 "build the bundle again with `heddle build`"};
  }
  return Object(object);
}

Result<void> load_object(bpf_object& object) {
  const LogCapture log;
  const int result = bpf_object__load(&object);
  if (result == 0) return {};
  return load_error(log.text(), -result);
}

}  // namespace heddle::loader
