#include "runtime/loader/map_io.h"

#include <bpf/bpf.h>
#include <unistd.h>

#include <cerrno>
#include <numeric>
#include <vector>

#include "runtime/base/file.h"

namespace heddle::loader {

Result<MapLayout> map_layout(int fd) {
  bpf_map_info info{};
  std::uint32_t size = sizeof(info);
  if (bpf_obj_get_info_by_fd(fd, &info, &size) != 0) return system_error("cannot look at a BPF map", errno);
  return MapLayout{info.type, info.key_size, info.value_size, info.max_entries, info.id};
}

Result<void> fill_map(int fd, const std::string& name, std::span<const std::byte> keys,
                      std::span<const std::byte> values, std::uint32_t count) {
  if (count == 0) return {};
  std::vector<std::uint32_t> indexes;
  const void* key_bytes = keys.data();
  if (keys.empty()) {
    indexes.resize(count);
    std::iota(indexes.begin(), indexes.end(), 0U);
    key_bytes = indexes.data();
  }
  std::uint32_t done = count;
  if (bpf_map_update_batch(fd, key_bytes, values.data(), &done, nullptr) == 0) return {};
  return system_error("cannot fill the table `" + name + "`", errno);
}

Result<void> write_entry(int fd, const void* key, const void* value) {
  if (bpf_map_update_elem(fd, key, value, BPF_ANY) == 0) return {};
  return system_error("cannot write a BPF map", errno);
}

bool read_entry(int fd, const void* key, void* value) {
  return bpf_map_lookup_elem(fd, key, value) == 0;
}

Result<UniqueFd> read_only(int fd) {
  Result<MapLayout> layout = map_layout(fd);
  if (!layout) return layout.error();
  bpf_get_fd_by_id_opts options{};
  options.sz = sizeof(options);
  options.open_flags = BPF_F_RDONLY;
  UniqueFd copy(bpf_map_get_fd_by_id_opts(layout->id, &options));
  if (!copy) return system_error("cannot open a BPF map for reading", errno);
  return copy;
}

Result<MapView> MapView::make(int fd, std::size_t size, bool writable) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  MapView view;
  view.size_ = (size + page - 1) / page * page;
  void* data = ::mmap(nullptr, view.size_, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
  if (data == MAP_FAILED) {
    view.size_ = 0;
    return system_error("cannot map a BPF map into memory", errno);
  }
  view.data_ = static_cast<std::byte*>(data);
  return view;
}

}  // namespace heddle::loader
