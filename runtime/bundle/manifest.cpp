#include "runtime/bundle/manifest.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "bpf_templates/include/heddle/abi.h"
#include "runtime/base/file.h"
#include "runtime/base/hex.h"

namespace heddle::bundle {
namespace {

using Json = nlohmann::json;

constexpr std::size_t text_limit = 4096;

/// Reads the members of one object and remembers the first that was wrong, with its place.
class Fields {
 public:
  Fields(const Json& object, std::string place, std::string& wrong)
      : object_(object), place_(std::move(place)), wrong_(wrong) {
    if (!object_.is_object()) fail("");
  }

  void get(const char* name, std::string& out, bool optional = false) {
    const Json* value = find(name, optional);
    if (value == nullptr) return;
    if (!value->is_string() || value->get_ref<const std::string&>().size() > text_limit) return fail(name);
    out = value->get<std::string>();
  }
  void get(const char* name, std::uint32_t& out, bool optional = false) {
    const Json* value = find(name, optional);
    if (value == nullptr) return;
    if (!value->is_number_unsigned() || value->get<std::uint64_t>() > UINT32_MAX) return fail(name);
    out = value->get<std::uint32_t>();
  }
  void get(const char* name, bool& out) {
    const Json* value = find(name, false);
    if (value == nullptr) return;
    if (!value->is_boolean()) return fail(name);
    out = value->get<bool>();
  }
  void get(const char* name, Digest& out) {
    std::string text;
    get(name, text);
    if (!from_hex(text, out)) fail(name);
  }
  void get(const char* name, std::vector<std::string>& out) {
    for (const Json& item : list(name)) {
      if (!item.is_string() || item.get_ref<const std::string&>().size() > text_limit) return fail(name);
      out.push_back(item.get<std::string>());
    }
  }
  /// Calls `read(fields, element)` for every object of the list `name`.
  template <typename T, typename Read>
  void get(const char* name, std::vector<T>& out, Read read) {
    for (const Json& item : list(name)) {
      Fields fields(item, place_ + name + "[" + std::to_string(out.size()) + "].", wrong_);
      read(fields, out.emplace_back());
      if (!wrong_.empty()) return;
    }
  }
  /// Calls `read(fields)` for the object `name`, if there is one.
  template <typename Read>
  void get(const char* name, Read read) {
    const Json* value = find(name, true);
    if (value == nullptr) return;
    Fields fields(*value, place_ + name + ".", wrong_);
    read(fields);
  }
  const Json& object(const char* name) {
    const Json* value = find(name, false);
    static const Json none = Json::object();
    return value != nullptr ? *value : none;
  }

 private:
  const Json* find(const char* name, bool optional) {
    if (!object_.is_object()) return nullptr;
    const auto found = object_.find(name);
    if (found != object_.end()) return &*found;
    if (!optional) fail(name);
    return nullptr;
  }
  const Json& list(const char* name) {
    static const Json none = Json::array();
    const Json* value = find(name, false);
    if (value != nullptr && value->is_array()) return *value;
    fail(name);
    return none;
  }
  void fail(const std::string& name) {
    if (wrong_.empty()) wrong_ = place_ + name;
  }

  const Json& object_;
  std::string place_;
  std::string& wrong_;
};

void read_lists(Fields& fields, Manifest& manifest) {
  fields.get("rules", manifest.rules, [](Fields& in, Manifest::Rule& rule) {
    in.get("id", rule.id);
    in.get("digest", rule.digest);
    in.get("service", rule.service, true);
    in.get("file", rule.file, true);
    in.get("line", rule.line, true);
    in.get("column", rule.column, true);
  });
  fields.get("services", manifest.services, [](Fields& in, Manifest::Service& service) {
    in.get("name", service.name);
    in.get("protocol", service.protocol);
    in.get("transport", service.transport);
    in.get("identity", service.identity, true);
    in.get("addresses", service.addresses);
    in.get("connections", service.connections, true);
    in.get("prefer", service.prefer, true);
    in.get("eject", [&service](Fields& eject) {
      eject.get("digest", service.eject.digest);
      eject.get("failures", service.eject.failures);
      eject.get("time_ms", service.eject.time_ms);
      eject.get("share_ppm", service.eject.share_ppm);
    });
  });
  fields.get("targets", manifest.targets,
             [](Fields& in, Manifest::Target& target) { in.get("service", target.service); });
  fields.get("workloads", manifest.workloads, [](Fields& in, Manifest::Workload& workload) {
    in.get("name", workload.name);
    in.get("cgroup", workload.cgroup);
    in.get("spiffe", workload.spiffe, true);
  });
  fields.get("pools", manifest.pools, [](Fields& in, Manifest::Pool& pool) {
    in.get("name", pool.name);
    in.get("digest", pool.digest);
  });
  fields.get("parts", manifest.parts,
             [](Fields& in, Manifest::Part& part) { in.get("digest", part.digest); });
  fields.get("endpoints", manifest.endpoints, [](Fields& in, Manifest::Endpoint& endpoint) {
    in.get("service", endpoint.service);
    in.get("address", endpoint.address);
    in.get("place", endpoint.place, true);
    in.get("digest", endpoint.digest);
  });
  fields.get("maps", manifest.maps, [](Fields& in, Manifest::Map& map) {
    in.get("name", map.name);
    in.get("type", map.type);
    in.get("key", map.key);
    in.get("value", map.value);
    in.get("entries", map.entries);
  });
  fields.get("filters", manifest.filters, [](Fields& in, Manifest::Filter& filter) {
    in.get("name", filter.name);
    in.get("file", filter.file);
    in.get("function", filter.function);
    in.get("maps", filter.maps, [](Fields& own, Manifest::Filter::Map& map) {
      own.get("name", map.name);
      own.get("symbol", map.symbol);
      own.get("type", map.type);
      own.get("key", map.key);
      own.get("value", map.value);
      own.get("entries", map.entries);
      own.get("flags", map.flags);
    });
  });
}

Error wrong_manifest(const std::string& what) {
  return Error{ErrorKind::invalid, "not a usable bundle: " + what, "build it again with `heddle build`"};
}

/// A pattern names a folder strictly below the cgroup root: it must not lead out of it, and an empty one
/// would make a workload of everything.
bool is_cgroup_pattern(std::string_view pattern) {
  if (pattern.empty() || pattern.find('\0') != std::string_view::npos) return false;
  std::size_t levels = 0;
  for (std::size_t start = 0; start <= pattern.size(); ++levels) {
    const std::size_t end = std::min(pattern.find('/', start), pattern.size());
    const std::string_view part = pattern.substr(start, end - start);
    if (part.empty() || part == "." || part == ".." || part.size() > 255) return false;
    start = end + 1;
  }
  return levels <= HD_LEVELS_MAX;
}

/// It becomes the name of a folder or a file.
bool is_plain_name(std::string_view name) {
  constexpr std::string_view plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
  return !name.empty() && name.size() < 200 && name.front() != '.' && name.find_first_not_of(plain) == std::string_view::npos;
}

bool has_plain_names(const Manifest::Filter& filter) {
  return is_plain_name(filter.name) &&
         std::all_of(filter.maps.begin(), filter.maps.end(), [](const auto& map) { return is_plain_name(map.name); });
}

std::size_t count_of(const Bundle& bundle, std::string_view name) {
  for (const MapImage& map : bundle.maps) {
    if (map.name == name) return map.count;
  }
  return 0;
}

}  // namespace

Result<Manifest> parse_manifest(std::string_view json) {
  const Json document = Json::parse(json, nullptr, false);
  if (document.is_discarded()) return wrong_manifest("its manifest is not JSON");
  Manifest manifest;
  std::string wrong;
  Fields fields(document, "", wrong);
  fields.get("abi", manifest.abi);
  fields.get("compiler", manifest.compiler);
  fields.get("mesh", manifest.mesh);
  fields.get("trust_domain", manifest.trust_domain);
  fields.get("trust_domain_alias", manifest.trust_domain_alias, true);
  fields.get("source_digest", manifest.source_digest);
  fields.get("outside", manifest.outside);
  fields.get("programs", manifest.programs);
  read_lists(fields, manifest);
  Fields needs(fields.object("requires"), "requires.", wrong);
  needs.get("kernel", manifest.requires_.kernel);
  needs.get("btf", manifest.requires_.btf);
  needs.get("cgroup2", manifest.requires_.cgroup2);
  if (!wrong.empty()) return wrong_manifest("`" + wrong + "` of its manifest is missing or of a wrong kind");
  for (const Manifest::Target& target : manifest.targets) {
    if (target.service >= manifest.services.size()) return wrong_manifest("a target is one of no service");
  }
  for (const Manifest::Filter& filter : manifest.filters) {
    if (!has_plain_names(filter)) return wrong_manifest("filter `" + filter.name + "` has a name that no folder may have");
  }
  for (const Manifest::Workload& workload : manifest.workloads) {
    if (!is_cgroup_pattern(workload.cgroup)) {
      return wrong_manifest("workload `" + workload.name + "` has the cgroup `" + workload.cgroup + "`");
    }
  }
  return manifest;
}

Result<void> check(const Manifest& manifest, const Bundle& bundle) {
  if (manifest.abi != HD_ABI_VERSION) {
    return Error{ErrorKind::unsupported,
                 "bundle for version " + std::to_string(manifest.abi) +
                     " of the tables, this program has version " + std::to_string(HD_ABI_VERSION),
                 "build it with the `heddle` that belongs to this `heddled`"};
  }
  const std::array<std::pair<const char*, std::size_t>, 6> counts{
      {{"hd_rules", manifest.rules.size()},
       {"hd_services", manifest.services.size() + manifest.targets.size()},
       {"hd_workloads", manifest.workloads.size()},
       {"hd_pools", manifest.pools.size() * 2},
       {"hd_parts", manifest.parts.size()},
       {"hd_endpoints", manifest.endpoints.size()}}};
  for (const auto& [name, expected] : counts) {
    const std::size_t count = count_of(bundle, name);
    // A kernel's table has at least one entry, so an empty list may have one of zeros.
    if (count != expected && !(expected == 0 && count <= 1)) {
      return wrong_manifest("manifest and table `" + std::string(name) + "` disagree");
    }
  }
  return {};
}

Result<Opened> open(std::span<const std::byte> file) {
  Result<Bundle> bundle = parse(file);
  if (!bundle) return bundle.error();
  Result<Manifest> manifest = parse_manifest(bundle->manifest);
  if (!manifest) return manifest.error();
  if (Result<void> checked = check(*manifest, *bundle); !checked) return checked.error();
  return Opened{std::move(*bundle), std::move(*manifest), digest(file)};
}

Result<Opened> open_file(const std::string& path) {
  Result<std::vector<std::byte>> file = read_file(path, file_limit);
  if (!file) return file.error();
  Result<Opened> opened = open(*file);
  if (opened) return opened;
  return Error{opened.error().kind, "`" + path + "`: " + opened.error().what, opened.error().help};
}

}  // namespace heddle::bundle
