#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bpf_templates/include/heddle/abi.h"
#include "runtime/base/fd.h"
#include "runtime/base/result.h"
#include "runtime/bundle/manifest.h"
#include "runtime/loader/intern.h"
#include "runtime/loader/object.h"
#include "runtime/loader/place.h"
#include "runtime/loader/state.h"

namespace heddle::loader {

/// What the kernel says about a program that it accepted.
struct ProgramFigures {
  std::string name;
  std::uint32_t verified_instructions = 0;  // that the verifier walked
  std::uint32_t instructions = 0;           // as the kernel keeps them
  std::uint32_t jited_bytes = 0;
  std::uint32_t stack_bytes = 0;  // of all its functions together; 0: not asked for
};

/// One policy, loaded: verified programs and filled tables. Nothing jumps into it until a Node activates it.
class Generation {
 public:
  /// `with_stack` asks the verifier for the stack's depth too.
  static Result<Generation> load(const bundle::Opened& opened, const State& state, Interner& interner,
                                 std::uint64_t number, const Place& place = {}, bool with_stack = false);

  [[nodiscard]] std::uint64_t number() const { return number_; }
  [[nodiscard]] const bundle::Manifest& manifest() const { return *manifest_; }
  [[nodiscard]] const std::string& digest() const { return digest_; }

  /// By the section of the program: `connect4`, `connect6`, `decide`; -1: none.
  [[nodiscard]] int program(std::string_view name) const;
  /// A table of this generation; -1: none.
  [[nodiscard]] int table(std::string_view name) const;
  [[nodiscard]] const std::vector<ProgramFigures>& figures() const { return figures_; }
  /// Slot in hd_counters of every rule, in the order of the manifest.
  [[nodiscard]] const std::vector<std::uint32_t>& counters() const { return counters_; }
  [[nodiscard]] const std::vector<std::uint32_t>& endpoint_slots() const { return endpoint_slots_; }

  /// From here on the endpoints are as this policy says; for the moment in which it begins to decide.
  [[nodiscard]] Result<void> configure_endpoints(const State& state) const;

  /// hd_cgroups is the one table that goes on changing.
  Result<void> set_cgroup(std::uint64_t id, hd_cgroup entry) const;
  void erase_cgroup(std::uint64_t id) const;

 private:
  Generation() = default;
  Result<void> prepare_maps(const bundle::Bundle& bundle, const State& state);
  Result<void> fill(const bundle::Bundle& bundle, const State& state, Interner& interner);
  Result<void> write_slots(bundle::MapImage& image, Interner& interner);
  void mark_near(std::span<hd_endpoint> endpoints) const;
  Result<void> take_eject_groups(Interner& interner);
  Result<void> start_latencies(const State& state) const;
  Result<void> read_programs();

  std::uint64_t number_ = 0;
  Place place_;
  std::shared_ptr<const bundle::Manifest> manifest_;
  std::string digest_;
  Object object_;
  std::map<std::string, int, std::less<>> programs_;
  std::map<std::string, int, std::less<>> tables_;
  std::vector<ProgramFigures> figures_;
  std::vector<std::uint32_t> counters_;
  std::vector<std::uint32_t> endpoint_slots_;
  std::vector<std::uint32_t> eject_groups_;  // by service
};

/// What the kernel's verifier says to every program of a bundle. Loads them with state of their own, and
/// leaves nothing behind.
Result<std::vector<ProgramFigures>> verify(const bundle::Opened& opened);

}  // namespace heddle::loader
