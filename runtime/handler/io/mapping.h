#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <utility>

namespace heddle::io {

/// Owns a shared mapping of memory.
class Mapping {
 public:
  enum class Access { read, write };

  Mapping() = default;
  Mapping(Mapping&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  Mapping& operator=(Mapping&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() {
    if (data_ != nullptr) ::munmap(data_, bytes_);
  }

  /// Empty if the descriptor cannot be mapped; errno says why.
  static Mapping of(int fd, std::size_t bytes, Access access, std::size_t offset = 0) {
    const int protection = access == Access::write ? PROT_READ | PROT_WRITE : PROT_READ;
    void* data = ::mmap(nullptr, bytes, protection, MAP_SHARED, fd, static_cast<off_t>(offset));
    Mapping mapping;
    if (data == MAP_FAILED) return mapping;
    mapping.data_ = data;
    mapping.bytes_ = bytes;
    return mapping;
  }

  explicit operator bool() const { return data_ != nullptr; }
  [[nodiscard]] char* data() const { return static_cast<char*>(data_); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace heddle::io
