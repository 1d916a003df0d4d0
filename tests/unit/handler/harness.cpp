// The worker's data path with a policy of its own in the same process: what curl, wrk and the scripts of the
// tests talk to. `handler_harness PORT` listens on 127.0.0.1:PORT (0: any), prints the port, and runs until
// its standard input ends. Lines that it reads there are commands; each is answered by a line.
// HARNESS_IMPATIENT in the environment shortens every timeout, HARNESS_CONNECTIONS bounds the clients.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "runtime/handler/engine.h"
#include "tests/unit/handler/fake_decider.h"

namespace {

std::size_t allocations = 0;

}  // namespace

// Counts what the process allocates. Blocks of the buffer pool are not among it: `buffers` are those.
void* operator new(std::size_t bytes) {
  ++allocations;
  void* const memory = std::malloc(bytes);
  if (memory == nullptr) std::abort();
  return memory;
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace {

using heddle::UniqueFd;
using heddle::handler::Engine;
using heddle::handler::FakeDecider;
namespace io = heddle::io;

UniqueFd listen_on(std::uint16_t port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  const bool bound = ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  if (!bound || ::listen(fd.get(), 4096) != 0) {
    std::perror("cannot listen");
    std::exit(2);
  }
  socklen_t size = sizeof address;
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
  std::printf("%u\n", ntohs(address.sin_port));
  std::fflush(stdout);
  return fd;
}

/// Commands on standard input, worked off between two rounds.
class Commands final : public io::EventSink {
 public:
  Commands(Engine& engine, FakeDecider& decider) : engine_(engine), decider_(decider) {}
  void on_events(std::uint32_t) override {
    char bytes[256];
    const ssize_t count = ::read(STDIN_FILENO, bytes, sizeof bytes);
    if (count <= 0)
      ended = true;
    else
      pending_.append(bytes, static_cast<std::size_t>(count));
  }
  void work_off() {
    for (std::size_t end = pending_.find('\n'); end != std::string::npos; end = pending_.find('\n')) {
      execute(pending_.substr(0, end));
      pending_.erase(0, end + 1);
    }
  }
  bool ended = false;

 private:
  void execute(const std::string& command) {
    if (command == "deny") decider_.denies_all = true;
    if (command == "allow") decider_.denies_all = false;
    if (command == "fail") decider_.fails = true;
    if (command == "work") decider_.fails = false;
    if (command == "mtls") decider_.transport = HD_TRANSPORT_MTLS;
    if (command == "plaintext") decider_.transport = HD_TRANSPORT_PLAINTEXT;
    if (command == "unknown") decider_.knows_nobody = true;
    if (command == "known") decider_.knows_nobody = false;
    if (command == "drain") engine_.drain();
    if (command == "stats") return stats();
    if (command == "events") return events();
    std::printf("ok\n");
    std::fflush(stdout);
  }
  void stats() {
    std::printf(
        "calls=%llu requests=%llu connections=%u upstreams=%u idle=%u buffers=%zu most=%u allocations=%zu\n",
        static_cast<unsigned long long>(decider_.calls), static_cast<unsigned long long>(decider_.requests),
        engine_.connection_count(), engine_.pool.open(), engine_.pool.idle(), engine_.buffers.in_use(),
        decider_.most_in_one_call, decider_.heads.size());
    std::fflush(stdout);
  }
  /// Status, verdict, flags, bytes in and out of every event since the last time.
  void events() {
    for (const hd_event& event : decider_.events) {
      std::printf("%u:%u:%u:%llu:%llu ", event.status, event.decision.verdict, event.flags,
                  static_cast<unsigned long long>(event.bytes_in),
                  static_cast<unsigned long long>(event.bytes_out));
    }
    decider_.events.clear();
    std::printf("\n");
    std::fflush(stdout);
  }

  Engine& engine_;
  FakeDecider& decider_;
  std::string pending_;
};

}  // namespace

int main(int argc, char** argv) {
  const auto port = static_cast<std::uint16_t>(argc > 1 ? std::atoi(argv[1]) : 0);
  FakeDecider decider(static_cast<std::uint16_t>(argc > 2 ? std::atoi(argv[2]) : 9));
  decider.keeps_record = argc <= 2 && std::getenv("HARNESS_FORGETS") == nullptr;
  heddle::handler::Patience patience;
  if (std::getenv("HARNESS_IMPATIENT") != nullptr) patience = {300, 600, 300, 600, 300, 50};
  const char* const most = std::getenv("HARNESS_CONNECTIONS");
  auto engine =
      Engine::make(decider, static_cast<std::uint32_t>(most != nullptr ? std::atoi(most) : 10'000), patience);
  if (!engine) return 2;
  if (!(*engine)->listen(listen_on(port))) return 2;
  Commands commands(**engine, decider);
  const bool watched = (*engine)->loop.add(STDIN_FILENO, static_cast<std::uint32_t>(EPOLLIN), commands);
  while (!(commands.ended && watched) && !(*engine)->drained()) {
    (*engine)->run_round();
    commands.work_off();
  }
  return 0;
}
