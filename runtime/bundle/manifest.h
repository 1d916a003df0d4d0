#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/base/result.h"
#include "runtime/bundle/bundle.h"

namespace heddle::bundle {

/// Names a rule, pool or endpoint across generations: equal digests share counters and state.
using Digest = std::array<std::byte, 16>;

/// What a bundle says about itself. Every list is in the order of the kernel's table of the same name.
struct Manifest {
  struct Rule {
    std::string id;
    Digest digest{};
    std::string service;  // empty: the mesh's
    std::string file;     // empty: built in
    std::uint32_t line = 0;
    std::uint32_t column = 0;
  };
  struct Service {
    std::string name;
    std::string protocol;  // http, tcp or tls
    std::string transport;  // plaintext, mtls, tls, or `mtls or plaintext`
    std::string identity;   // that its endpoints must present; empty: they present nothing
    std::vector<std::string> addresses;
    struct Eject {
      Digest digest{};
      std::uint32_t failures = 0;  // in a row; 0: none is ever ejected
      std::uint32_t time_ms = 0;
      std::uint32_t share_ppm = 0;  // of the endpoints, at a time
    } eject;
    std::uint32_t connections = 0;  // to one endpoint at a time; 0: no bound
    std::string prefer;             // `zone`, `node`: endpoints of the agent's own come first; empty: none do
  };
  /// Another service that the route of one sends to.
  struct Target {
    std::uint32_t service = 0;  // whose route it is
  };
  struct Workload {
    std::string name;
    std::string
        cgroup;  // pattern below the cgroup root, without leading slash; `*` stands for a run without `/`
    std::string spiffe;
  };
  struct Pool {
    std::string name;
    Digest digest{};
  };
  struct Part {
    Digest digest{};
  };
  struct Endpoint {
    std::string service;
    std::string address;
    Digest digest{};
    std::string place;  // its zone or node, whichever its service prefers by
  };
  struct Map {
    std::string name;
    std::string type;
    std::uint32_t key = 0;
    std::uint32_t value = 0;
    std::uint32_t entries = 0;
  };

  /// A condition that the policy's author wrote in BPF C.
  struct Filter {
    struct Map {
      std::string name;    // as its author calls it
      std::string symbol;  // and the object
      std::string type;    // hash or array
      std::uint32_t key = 0;
      std::uint32_t value = 0;
      std::uint32_t entries = 0;
      std::uint32_t flags = 0;
    };
    std::string name;  // qualified
    std::string file;
    std::string function;  // in the object
    std::vector<Map> maps;
  };

  /// Whose request it is that an entry of hd_services decided.
  [[nodiscard]] std::uint32_t service_of(std::uint32_t entry) const {
    const std::size_t target = entry - services.size();
    return entry >= services.size() && target < targets.size() ? targets[target].service : entry;
  }

  std::uint32_t abi = 0;
  std::string compiler;
  std::string mesh;
  std::string trust_domain;
  std::string trust_domain_alias;  // accepted as well; empty: none
  std::string source_digest;
  std::string outside;
  std::vector<Rule> rules;
  std::vector<Service> services;
  std::vector<Target> targets;  // entries of hd_services behind those
  std::vector<Workload> workloads;
  std::vector<Pool> pools;
  std::vector<Part> parts;
  std::vector<Endpoint> endpoints;
  std::vector<Map> maps;
  std::vector<Filter> filters;
  std::vector<std::string> programs;
  struct {
    std::string kernel;  // `major.minor`
    bool btf = false;
    bool cgroup2 = false;
  } requires_;
};

/// Types and values of the JSON; no word about tables.
Result<Manifest> parse_manifest(std::string_view json);

/// Whether manifest and tables belong together: counts, and that the ABI is ours.
Result<void> check(const Manifest& manifest, const Bundle& bundle);

/// A bundle as a reader wants it.
struct Opened {
  Bundle bundle;
  Manifest manifest;
  std::string digest;
};

/// `parse`, `parse_manifest` and both checks.
Result<Opened> open(std::span<const std::byte> file);
Result<Opened> open_file(const std::string& path);

}  // namespace heddle::bundle
