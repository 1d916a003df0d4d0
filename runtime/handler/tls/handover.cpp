#include "runtime/handler/tls/handover.h"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace heddle::tls {
namespace {

void put(std::vector<std::byte>& out, const void* bytes, std::size_t size) {
  const auto* first = static_cast<const std::byte*>(bytes);
  out.insert(out.end(), first, first + size);
}

void put_number(std::vector<std::byte>& out, std::uint64_t number) {
  put(out, &number, sizeof number);
}

void put_text(std::vector<std::byte>& out, const std::string& text) {
  put_number(out, text.size());
  put(out, text.data(), text.size());
}

class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : rest_(bytes) {}

  void get(void* into, std::size_t size) {
    if (size > rest_.size()) {
      broken_ = true;
      std::memset(into, 0, size);
      return;
    }
    std::memcpy(into, rest_.data(), size);
    rest_ = rest_.subspan(size);
  }
  std::uint64_t number() {
    std::uint64_t value = 0;
    get(&value, sizeof value);
    return value;
  }
  std::string text() {
    const std::uint64_t size = number();
    if (size > rest_.size()) broken_ = true;
    std::string text(broken_ ? 0 : size, '\0');
    get(text.data(), text.size());
    return text;
  }
  [[nodiscard]] bool broken() const { return broken_; }
  [[nodiscard]] bool at_end() const { return rest_.empty(); }

 private:
  std::span<const std::byte> rest_;
  bool broken_ = false;
};

}  // namespace

std::vector<std::byte> pack(const Handover& handover) {
  std::vector<std::byte> out;
  put_number(out, handover.ticket_keys.size());
  for (const TicketKey& key : handover.ticket_keys) {
    put(out, key.name.data(), key.name.size());
    put(out, key.cipher.data(), key.cipher.size());
    put(out, key.mac.data(), key.mac.size());
  }
  put_number(out, handover.identities.size());
  for (const auto& identity : handover.identities) {
    const IdentityFiles& files = identity->files();
    put_number(out, identity->generation());
    for (const std::string* text : {&files.name, &files.svid, &files.key, &files.bundle}) put_text(out, *text);
  }
  return out;
}

Result<Handover> unpack(std::span<const std::byte> bytes, std::int64_t now) {
  Reader in(bytes);
  Handover handover;
  const std::uint64_t keys = in.number();
  for (std::uint64_t i = 0; i < keys && !in.broken(); ++i) {
    TicketKey& key = handover.ticket_keys.emplace_back();
    in.get(key.name.data(), key.name.size());
    in.get(key.cipher.data(), key.cipher.size());
    in.get(key.mac.data(), key.mac.size());
  }
  const std::uint64_t count = in.number();
  for (std::uint64_t i = 0; i < count && !in.broken(); ++i) {
    const std::uint64_t generation = in.number();
    IdentityFiles files;
    for (std::string* text : {&files.name, &files.svid, &files.key, &files.bundle}) *text = in.text();
    if (in.broken()) break;
    if (auto identity = Identity::make(std::move(files), generation, now)) handover.identities.push_back(std::move(identity).value());
  }
  if (in.broken() || !in.at_end()) return Error{ErrorKind::invalid, "identities that no agent has written", ""};
  return handover;
}

}  // namespace heddle::tls
