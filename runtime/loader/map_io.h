#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "runtime/base/fd.h"
#include "runtime/base/result.h"

namespace heddle::loader {

struct MapLayout {
  std::uint32_t type = 0;
  std::uint32_t key_size = 0;
  std::uint32_t value_size = 0;
  std::uint32_t max_entries = 0;
  std::uint32_t id = 0;
};
Result<MapLayout> map_layout(int fd);

/// Writes `count` entries; no keys means the indexes of an array.
Result<void> fill_map(int fd, const std::string& name, std::span<const std::byte> keys,
                      std::span<const std::byte> values, std::uint32_t count);

Result<void> write_entry(int fd, const void* key, const void* value);
/// False: there is none.
bool read_entry(int fd, const void* key, void* value);

/// The same map through a descriptor that cannot write.
Result<UniqueFd> read_only(int fd);

/// A memory-mapped array map; whole pages.
class MapView {
 public:
  MapView() = default;
  static Result<MapView> make(int fd, std::size_t size, bool writable);
  MapView(MapView&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  MapView& operator=(MapView&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~MapView() {
    if (data_ != nullptr) ::munmap(data_, size_);
  }
  [[nodiscard]] std::byte* data() const { return data_; }
  template <typename T>
  [[nodiscard]] T* as() const {
    return reinterpret_cast<T*>(data_);
  }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace heddle::loader
