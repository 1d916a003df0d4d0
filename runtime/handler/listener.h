#pragma once

#include <memory>

#include "runtime/base/result.h"
#include "runtime/handler/engine.h"

namespace heddle::handler {

/// Accepts from a listening socket that workers share.
class Listener final : public io::EventSink, public io::Deadline {
 public:
  /// What the engine does with whoever connects.
  using Accepted = void (Engine::*)(UniqueFd client);

  static Result<std::unique_ptr<Listener>> make(Engine& engine, UniqueFd fd, Accepted accepted);
  Listener(Engine& engine, UniqueFd fd, Accepted accepted) : engine_(engine), fd_(std::move(fd)), accepted_(accepted) {}
  ~Listener();

  void on_events(std::uint32_t events) override;
  void on_deadline() override;

 private:
  [[nodiscard]] bool watch();
  /// Stops listening for a moment: there are too many connections, or no descriptors.
  void pause();

  Engine& engine_;
  UniqueFd fd_;
  Accepted accepted_;
};

}  // namespace heddle::handler
