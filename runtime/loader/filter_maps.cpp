#include "runtime/loader/filter_maps.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "runtime/base/file.h"
#include "runtime/loader/map_io.h"

namespace heddle::loader {
namespace {

using Map = bundle::Manifest::Filter::Map;

std::string text_of(const std::string& type, std::uint32_t key, std::uint32_t value, std::uint32_t entries) {
  return type + " of " + std::to_string(entries) + " entries, key " + std::to_string(key) + " bytes, value " +
         std::to_string(value) + " bytes";
}

Error other_layout(const std::string& filter, const Map& map, const std::string& path, const bpf_map_info& found) {
  const char* type = found.type == BPF_MAP_TYPE_HASH ? "hash" : found.type == BPF_MAP_TYPE_ARRAY ? "array" : "map of another type";
  return Error{ErrorKind::invalid,
               "map `" + map.name + "` of filter `" + filter + "` is pinned with another layout: " +
                   text_of(type, found.key_size, found.value_size, found.max_entries) + ", and the filter declares a " +
                   text_of(map.type, map.key, map.value, map.entries),
               "remove it with its contents (`rm " + path + "`), or give the new map another name"};
}

Error wrong(const std::string& filter, const Map& map) {
  return Error{ErrorKind::invalid, "not a usable bundle: its programs have no map `" + map.name + "` of filter `" + filter + "`",
               "build it again with `heddle build`"};
}

bool is_declared_so(const bpf_map& found, const Map& map) {
  return bpf_map__type(&found) == (map.type == "hash" ? BPF_MAP_TYPE_HASH : BPF_MAP_TYPE_ARRAY) &&
         bpf_map__key_size(&found) == map.key && bpf_map__value_size(&found) == map.value &&
         bpf_map__max_entries(&found) == map.entries;
}

Result<void> reuse_one(bpf_map& found, const std::string& filter, const Map& map, const std::string& path) {
  const UniqueFd fd(bpf_obj_get(path.c_str()));
  if (!fd && errno == ENOENT) return {};
  if (!fd) return system_error("cannot open the pinned map `" + path + "`", errno);
  bpf_map_info info{};
  std::uint32_t size = sizeof(info);
  if (bpf_obj_get_info_by_fd(fd.get(), &info, &size) != 0) return system_error("cannot look at the map `" + path + "`", errno);
  const bool same = info.type == bpf_map__type(&found) && info.key_size == map.key && info.value_size == map.value &&
                    info.max_entries == map.entries && info.map_flags == map.flags;
  if (!same) return other_layout(filter, map, path, info);
  if (bpf_map__reuse_fd(&found, fd.get()) != 0) return system_error("cannot share the map `" + path + "`", errno);
  return {};
}

Result<void> make_folder(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return system_error("cannot make the folder `" + path + "`", errno);
}

}  // namespace

std::string filter_folder(const std::string& folder, const std::string& filter) {
  std::string name = filter;
  std::replace(name.begin(), name.end(), '.', ':');
  return folder + "/" + filters_folder + "/" + name;
}

bool FilterMaps::knows(std::string_view symbol) const {
  const auto has = [symbol](const Map& map) { return map.symbol == symbol; };
  return std::any_of(manifest_.filters.begin(), manifest_.filters.end(),
                     [&](const auto& filter) { return std::any_of(filter.maps.begin(), filter.maps.end(), has); });
}

Result<void> FilterMaps::reuse(bpf_object& object) const {
  for (const auto& filter : manifest_.filters) {
    for (const Map& map : filter.maps) {
      bpf_map* found = bpf_object__find_map_by_name(&object, map.symbol.c_str());
      if (found == nullptr || !is_declared_so(*found, map)) return wrong(filter.name, map);
      if (folder_.empty()) continue;
      const std::string path = filter_folder(folder_, filter.name) + "/" + map.name;
      if (Result<void> reused = reuse_one(*found, filter.name, map, path); !reused) return reused;
    }
  }
  return {};
}

Result<void> FilterMaps::pin(bpf_object& object) const {
  if (folder_.empty()) return {};
  for (const auto& filter : manifest_.filters) {
    const std::string own = filter_folder(folder_, filter.name);
    for (const std::string& folder : {folder_ + "/" + filters_folder, own}) {
      if (Result<void> made = make_folder(folder); !made) return made;
    }
    for (const Map& map : filter.maps) {
      const std::string path = own + "/" + map.name;
      const bpf_map* found = bpf_object__find_map_by_name(&object, map.symbol.c_str());
      if (::access(path.c_str(), F_OK) == 0) continue;
      if (bpf_obj_pin(bpf_map__fd(found), path.c_str()) != 0) return system_error("cannot pin the map `" + path + "`", errno);
    }
  }
  return {};
}

void remove_filter_maps(const std::string& folder) {
  std::error_code ignored;
  std::filesystem::remove_all(folder + "/" + filters_folder, ignored);
}

}  // namespace heddle::loader
