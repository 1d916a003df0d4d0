#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "bpf_templates/include/heddle/abi.h"
#include "runtime/base/result.h"
#include "runtime/loader/state.h"

namespace heddle::loader {

/// From here on clients in this network namespace are led to these ports of it.
Result<void> put_listener(const State& state, std::uint64_t netns_cookie, hd_listener listener);
/// From here on they are refused.
void remove_listener(const State& state, std::uint64_t netns_cookie);
/// All of them are.
void remove_listeners(const State& state);

/// Calls back for clients that were refused because the handler does not listen in their namespace.
class UnservedReader {
 public:
  using Receive = std::function<void(const hd_unserved&)>;
  static Result<UnservedReader> make(const State& state, Receive receive);
  UnservedReader(UnservedReader&&) noexcept;
  UnservedReader& operator=(UnservedReader&&) noexcept;
  ~UnservedReader();
  /// Readable when there are some.
  [[nodiscard]] int fd() const;
  void read();

 private:
  struct Parts;
  explicit UnservedReader(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace heddle::loader
