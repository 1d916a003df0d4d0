#pragma once

#include <map>
#include <string>
#include <string_view>

#include "runtime/base/fd.h"
#include "runtime/base/result.h"
#include "runtime/bundle/manifest.h"

struct bpf_object;

namespace heddle::loader {

/// Below the folder of the pinned maps: one folder for each filter, with its maps by the names that its author gave them.
inline constexpr const char* filters_folder = "extern";

/// Where the maps of a filter are pinned. bpffs knows no name with a dot: `payments.geo` is the folder `payments:geo`.
std::string filter_folder(const std::string& folder, const std::string& filter);

/// The maps of a policy's filters. They belong to whoever fills them: a generation uses those that are pinned, and pins those that
/// are not there yet.
class FilterMaps {
 public:
  FilterMaps(const bundle::Manifest& manifest, std::string folder) : manifest_(manifest), folder_(std::move(folder)) {}

  /// Before the object is loaded. One that is pinned with another layout is an error.
  Result<void> reuse(bpf_object& object) const;
  /// And behind.
  Result<void> pin(bpf_object& object) const;
  [[nodiscard]] bool knows(std::string_view symbol) const;

 private:
  const bundle::Manifest& manifest_;
  std::string folder_;
};

/// Unpins them all.
void remove_filter_maps(const std::string& folder);

}  // namespace heddle::loader
