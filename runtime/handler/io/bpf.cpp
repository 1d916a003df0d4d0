#include "runtime/handler/io/bpf.h"

#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

namespace heddle::io::bpf {

namespace {

long call(bpf_cmd command, bpf_attr& attributes, std::size_t size) {
  return ::syscall(SYS_bpf, command, &attributes, static_cast<unsigned>(size));
}

std::uint64_t address_of(const void* pointer) {
  return reinterpret_cast<std::uintptr_t>(pointer);
}

}  // namespace

Result<MapInfo> map_info(int map) {
  bpf_map_info info{};
  bpf_attr attributes{};
  attributes.info.bpf_fd = static_cast<std::uint32_t>(map);
  attributes.info.info_len = sizeof info;
  attributes.info.info = address_of(&info);
  if (call(BPF_OBJ_GET_INFO_BY_FD, attributes, sizeof attributes.info) != 0) {
    return Error{ErrorKind::io, std::string("cannot ask for a map's layout: ") + std::strerror(errno), ""};
  }
  return MapInfo{info.value_size, info.max_entries, info.map_flags};
}

bool lookup(int map, const void* key, void* value) {
  bpf_attr attributes{};
  attributes.map_fd = static_cast<std::uint32_t>(map);
  attributes.key = address_of(key);
  attributes.value = address_of(value);
  return call(BPF_MAP_LOOKUP_ELEM, attributes, offsetof(bpf_attr, flags) + sizeof attributes.flags) == 0;
}

bool update(int map, const void* key, const void* value) {
  bpf_attr attributes{};
  attributes.map_fd = static_cast<std::uint32_t>(map);
  attributes.key = address_of(key);
  attributes.value = address_of(value);
  attributes.flags = BPF_ANY;
  return call(BPF_MAP_UPDATE_ELEM, attributes, offsetof(bpf_attr, flags) + sizeof attributes.flags) == 0;
}

bool read_array(int map, const MapInfo& info, char* values) {
  std::vector<std::uint32_t> keys(info.max_entries);  // the kernel writes them, too
  std::uint32_t read = 0;
  std::uint32_t position = 0;
  while (read < info.max_entries) {
    bpf_attr attributes{};
    attributes.batch.map_fd = static_cast<std::uint32_t>(map);
    attributes.batch.in_batch = read == 0 ? 0 : address_of(&position);
    attributes.batch.out_batch = address_of(&position);
    attributes.batch.keys = address_of(keys.data());
    attributes.batch.values = address_of(values + std::size_t{read} * info.value_size);
    attributes.batch.count = info.max_entries - read;
    const bool more = call(BPF_MAP_LOOKUP_BATCH, attributes, sizeof attributes.batch) == 0;
    read += attributes.batch.count;
    // ENOENT: that was the last of it.
    if (!more && (errno != ENOENT || read < info.max_entries)) return false;
  }
  return true;
}

int run(int program, std::span<const std::byte> context, std::uint32_t& returned) {
  bpf_attr attributes{};
  attributes.test.prog_fd = static_cast<std::uint32_t>(program);
  attributes.test.ctx_in = address_of(context.data());
  attributes.test.ctx_size_in = static_cast<std::uint32_t>(context.size());
  if (call(BPF_PROG_TEST_RUN, attributes, sizeof attributes.test) != 0) return -errno;
  returned = attributes.test.retval;
  return 0;
}

}  // namespace heddle::io::bpf
