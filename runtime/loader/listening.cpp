#include "runtime/loader/listening.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cerrno>
#include <cstring>

#include "runtime/base/file.h"
#include "runtime/loader/map_io.h"

namespace heddle::loader {

Result<void> put_listener(const State& state, std::uint64_t netns_cookie, hd_listener listener) {
  return write_entry(state.fd("hd_listeners"), &netns_cookie, &listener);
}

void remove_listener(const State& state, std::uint64_t netns_cookie) {
  bpf_map_delete_elem(state.fd("hd_listeners"), &netns_cookie);
}

void remove_listeners(const State& state) {
  std::uint64_t first = 0;
  while (bpf_map_get_next_key(state.fd("hd_listeners"), nullptr, &first) == 0) {
    if (bpf_map_delete_elem(state.fd("hd_listeners"), &first) != 0) return;
  }
}

struct UnservedReader::Parts {
  Receive receive;
  ring_buffer* ring = nullptr;
  ~Parts() { ring_buffer__free(ring); }
};

UnservedReader::UnservedReader(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
UnservedReader::UnservedReader(UnservedReader&&) noexcept = default;
UnservedReader& UnservedReader::operator=(UnservedReader&&) noexcept = default;
UnservedReader::~UnservedReader() = default;

Result<UnservedReader> UnservedReader::make(const State& state, Receive receive) {
  auto parts = std::make_unique<Parts>();
  parts->receive = std::move(receive);
  const auto sample = [](void* context, void* data, std::size_t size) {
    if (size == sizeof(hd_unserved)) static_cast<Parts*>(context)->receive(*static_cast<const hd_unserved*>(data));
    return 0;
  };
  parts->ring = ring_buffer__new(state.fd("hd_unserved"), sample, parts.get(), nullptr);
  if (parts->ring == nullptr) return system_error("cannot read what the programs refused", errno);
  return UnservedReader(std::move(parts));
}

int UnservedReader::fd() const {
  return ring_buffer__epoll_fd(parts_->ring);
}

void UnservedReader::read() {
  ring_buffer__consume(parts_->ring);
}

}  // namespace heddle::loader
