#include "runtime/handler/io/array_map.h"

#include <cerrno>
#include <cstring>
#include <string>

namespace heddle::io {

std::size_t array_bytes(const bpf::MapInfo& info) {
  const std::size_t stride = (std::size_t{info.value_size} + 7) / 8 * 8;
  return stride * info.max_entries;
}

Result<Mapping> map_array(int map, const char* name, std::size_t value_size, Mapping::Access access) {
  const Result<bpf::MapInfo> info = bpf::map_info(map);
  if (!info) return info.error();
  if (info->value_size != value_size) {
    return Error{ErrorKind::invalid, std::string("`") + name + "` has values of another size", ""};
  }
  Mapping mapping = Mapping::of(map, array_bytes(*info), access);
  if (!mapping) {
    return Error{ErrorKind::io, std::string("cannot map `") + name + "`: " + std::strerror(errno), ""};
  }
  return mapping;
}

}  // namespace heddle::io
