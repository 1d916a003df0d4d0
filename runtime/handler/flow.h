#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "bpf_templates/include/heddle/abi.h"

namespace heddle::handler {

/// One client's record of the fast path, in memory that the programs in the kernel change at the same time.
/// Every/// change of its state is a compare-and-swap from a word that was looked at, and the word carries
/// the record's generation and the number of the request: one that was lost, a record that belongs to another
/// client by now, and a state that has come back with another request are seen.
class Flow {
 public:
  /// What has to happen before the handler may write to the client.
  enum class Taking : std::uint8_t {
    taken,    // nothing: it may
    wait,     // the end of a response: the bell will ring
    landing,  // the last piece of a response has to be proved to lie in the client's queue
    relay,    // the rest of a response comes over the link, and is the handler's to pass on
    gone,     // the client is closed
    broken,   // bytes are lost, or the record is not this client's
  };

  Flow() = default;
  Flow(hd_flow& record, std::uint64_t id) : record_(&record), id_(id) {}

  explicit operator bool() const { return record_ != nullptr; }
  [[nodiscard]] std::uint64_t id() const { return id_; }
  [[nodiscard]] const hd_flow& record() const { return *record_; }
  [[nodiscard]] hd_flow_state state() const;
  [[nodiscard]] std::uint64_t word() const;
  [[nodiscard]] std::uint64_t link() const;
  /// That, and those to other endpoints that the client keeps.
  [[nodiscard]] std::array<std::uint64_t, 1 + HD_SPARE_LINKS> links() const;
  [[nodiscard]] bool keeps(std::uint64_t id) const;
  [[nodiscard]] bool client_open() const;
  /// A request is on its way on the fast path, or its response is.
  [[nodiscard]] bool busy() const;

  /// Takes the flow, or leaves word that somebody waits. `landing` is not taken: seize() does, with the
  /// proof.
  [[nodiscard]] Taking take();
  /// One try, from the word that was seen. None: it is another one by now.
  [[nodiscard]] std::optional<Taking> try_take(std::uint64_t seen);
  /// To TAKEN, if the flow is in this state; whoever waited need not any more.
  [[nodiscard]] bool seize(hd_flow_state from);
  /// To TAKEN from whatever it is; which state that was. FREE: the record is not this client's.
  [[nodiscard]] hd_flow_state seize_any();

  /// Lets the next request go fast, once the client has sent and read this much. False: it is not ours to
  /// give.
  [[nodiscard]] bool arm(std::uint64_t received, std::uint64_t sent);

  /// The same as it was armed with last: nothing has been received or sent since.
  [[nodiscard]] bool rearm();

  /// While it is taken.
  void set_worker(std::uint32_t worker);
  /// False: the programs have already put it away, with the flow.
  [[nodiscard]] bool forget_link(std::uint64_t id);

 private:
  [[nodiscard]] bool ours(std::uint64_t seen) const {
    return HD_FLOW_GENERATION(seen) == HD_ID_GENERATION(id_);
  }
  [[nodiscard]] bool swap(std::uint64_t seen, std::uint64_t next);

  hd_flow* record_ = nullptr;
  std::uint64_t id_ = 0;
};

}  // namespace heddle::handler
