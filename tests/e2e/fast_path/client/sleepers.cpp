// Readers that ask for much and do not read it before they are told to.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "tests/e2e/fast_path/client/modes.h"
#include "tests/e2e/fast_path/client/wire.h"

namespace heddle::fast_path {

namespace {

using Wires = std::vector<std::unique_ptr<Wire>>;

void show_memory(const Wires& wires) {
  std::uint64_t sum = 0;
  std::uint32_t most = 0;
  for (const auto& wire : wires) {
    const std::uint32_t memory = wire->unread_memory();
    sum += memory;
    if (memory > most) most = memory;
  }
  std::printf("{\"sum\": %lu, \"most\": %u}\n", sum, most);
}

/// What became of one request of each.
class Judge {
 public:
  void look(Wire& wire, bool asked, const std::string& wanted) {
    Reply reply;
    const Wire::Outcome outcome = asked ? wire.read(reply) : Wire::Outcome::reset;
    if (outcome == Wire::Outcome::reply && reply.status == 200 && reply.pattern && reply.target == wanted) {
      ++right_;
      return;
    }
    ++wrong_;
    if (first_.empty()) first_ = std::string(name_of(outcome)) + " to " + wanted + ": " + reply.target;
  }
  void show() const {
    std::printf("{\"right\": %lu, \"wrong\": %lu, \"first\": \"%s\"}\n", right_, wrong_, first_.c_str());
  }

 private:
  std::uint64_t right_ = 0;
  std::uint64_t wrong_ = 0;
  std::string first_;
};

void wake(const Wires& wires, const std::string& target) {
  Judge judge;
  for (std::size_t i = 0; i < wires.size(); ++i)
    judge.look(*wires[i], true, target + "/" + std::to_string(i));
  judge.show();
}

/// Each asks once more and reads at once, one after the other.
void ask_again(const Wires& wires, const std::string& target) {
  Judge judge;
  for (std::size_t i = 0; i < wires.size(); ++i) {
    const std::string wanted = target + "/again" + std::to_string(i);
    judge.look(*wires[i], wires[i]->send(get(wanted)), wanted);
  }
  judge.show();
}

}  // namespace

/// Says `asked` when all have, then obeys lines: memory, wake, again.
int sleepers(const Arguments& arguments) {
  Wires wires;
  const std::string& target = arguments[1];
  const std::string endpoint = target.substr(0, target.find('/', 1));
  for (std::uint64_t i = 0; i < std::strtoull(arguments[0].c_str(), nullptr, 10); ++i) {
    wires.push_back(std::make_unique<Wire>());
    Reply reply;
    if (!wires.back()->connect()) return 1;
    for (int warm = 0; warm < 2; ++warm) {
      if (!wires.back()->send(get(endpoint + "/echo/warm"))) return 1;
      if (wires.back()->read(reply) != Wire::Outcome::reply) return 1;
    }
  }
  for (std::size_t i = 0; i < wires.size(); ++i) {
    if (!wires[i]->send(get(target + "/" + std::to_string(i)))) return 1;
  }
  std::puts("\"asked\"");
  std::fflush(stdout);
  std::array<char, 64> line{};
  while (std::fgets(line.data(), line.size(), stdin) != nullptr) {
    const std::string_view word(line.data());
    if (word == "memory\n") show_memory(wires);
    if (word == "wake\n") wake(wires, target);
    if (word == "again\n") ask_again(wires, target);
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace heddle::fast_path
