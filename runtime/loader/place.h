#pragma once

#include <string>

#include "runtime/bundle/manifest.h"

namespace heddle::loader {

/// Where this agent is; empty: nobody said it, and `prefer` prefers nobody.
struct Place {
  std::string zone;
  std::string node;
};

/// What the place says of a service's `prefer`; empty: nothing.
inline const std::string& own_place(const bundle::Manifest::Service& service, const Place& place) {
  static const std::string nowhere;
  if (service.prefer == "zone") return place.zone;
  return service.prefer == "node" ? place.node : nowhere;
}

}  // namespace heddle::loader
