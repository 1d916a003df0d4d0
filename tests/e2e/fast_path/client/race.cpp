// Up to three threads that write to one connection at once, while another reads: whole requests, pieces, bodies, what
// is denied. Whatever comes of it, a server must see nothing but whole allowed requests (it looks), and each
// thread's answers come in its order.
#include <algorithm>
#include <atomic>
#include <barrier>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "tests/e2e/fast_path/client/modes.h"
#include "tests/e2e/fast_path/client/wire.h"

namespace heddle::fast_path {

namespace {

constexpr int writers = 3;

/// What one thread does in a round.
struct Script {
  std::vector<std::string> writes;
  std::vector<std::string> targets;  // of its whole requests, in their order
  int denied = 0;                    // whole requests that are
};

/// Makes scripts of one round; targets carry the round and the thread.
class Scripts {
 public:
  Scripts(std::uint64_t round, Script (&scripts)[writers]) : round_(round), scripts_(scripts) {}

  std::string target(int who, const char* path) {
    std::string text = std::string(path) + "/" + std::to_string(round_) + "-" + std::to_string(who) + "-" +
                       std::to_string(scripts_[who].targets.size());
    scripts_[who].targets.push_back(text);
    return text;
  }
  void whole(int who, const char* path = "/v1/echo") { write(who, get(target(who, path))); }
  void denied(int who) {
    write(who, get("/v1/deny/" + std::to_string(round_)));
    ++scripts_[who].denied;
  }
  void write(int who, std::string bytes) { scripts_[who].writes.push_back(std::move(bytes)); }
  /// One request in two writes.
  void split(int who, const std::string& request, std::size_t at) {
    write(who, request.substr(0, at));
    write(who, request.substr(at));
  }

 private:
  const std::uint64_t round_;
  Script (&scripts_)[writers];
};

struct Kind {
  const char* name;
  bool whole;  // every write is made of whole requests: all of them are answered
  void (*make)(Scripts&, Draw&);
};

constexpr Kind kinds[] = {
    {"whole and whole", true, [](Scripts& s, Draw&) { s.whole(0), s.whole(1); }},
    {"whole and denied", true, [](Scripts& s, Draw&) { s.whole(0), s.denied(1); }},
    {"to two endpoints", true,
     [](Scripts& s, Draw&) {
       for (int i = 0; i < 3; ++i) s.whole(i % 2, "/v1/echo"), s.whole(1 - i % 2, "/v2/size/300");
     }},
    {"bodies and heads", true,
     [](Scripts& s, Draw& draw) {
       s.write(0, post(s.target(0, "/v1/echo"), 1 + draw.below(60000)));
       for (int i = 0; i < 4; ++i) s.whole(1);
     }},
    {"bodies and bodies", true,
     [](Scripts& s, Draw& draw) {
       for (int who = 0; who < writers; ++who)
         s.write(who, post(s.target(who, "/v1/echo"), draw.below(3000)));
     }},
    {"three with whole ones", true,
     [](Scripts& s, Draw&) {
       for (int i = 0; i < 3; ++i) s.whole(0), s.whole(1, "/v2/size/20"), s.whole(2, "/v1/size/3000");
     }},
    {"three, one denied", true,
     [](Scripts& s, Draw& draw) {
       s.whole(0), s.whole(0, "/v2/echo");
       s.denied(1), s.denied(1);
       s.write(2, post(s.target(2, "/v2/echo"), draw.below(2000)));
     }},
    {"several in one write and denied", true,
     [](Scripts& s, Draw&) {
       std::string text = get(s.target(0, "/v1/echo"));
       text += get(s.target(0, "/v2/echo"));
       s.write(0, text + get(s.target(0, "/v1/size/10")));
       s.denied(1);
     }},
    {"a head in two writes and whole", false,
     [](Scripts& s, Draw& draw) {
       const std::string text = get(s.target(0, "/v1/echo"), "X: y\r\n");
       s.split(0, text, 1 + draw.below(static_cast<std::uint32_t>(text.size() - 1)));
       s.whole(1);
     }},
    {"a head in two writes and denied", false,
     [](Scripts& s, Draw& draw) {
       const std::string text = get(s.target(0, "/v1/echo"), "X: y\r\n");
       s.split(0, text, 1 + draw.below(static_cast<std::uint32_t>(text.size() - 1)));
       s.denied(1);
     }},
    {"whole with the begin of what is denied, and its rest", false,
     [](Scripts& s, Draw&) {
       s.write(0, get(s.target(0, "/v1/echo")) + "GET /v1/de");
       s.write(1, "ny/x HTTP/1.1\r\nHost: e\r\n\r\n");
     }},
    {"a head, its body, and denied", false,
     [](Scripts& s, Draw& draw) {
       const std::string text = post(s.target(0, "/v1/echo"), 40 + draw.below(200), "X-Body-Any: 1\r\n");
       s.split(0, text, text.find("\r\n\r\n") + 4);
       s.denied(1);
     }},
    {"a head, its body in pieces, and whole", false,
     [](Scripts& s, Draw& draw) {
       const std::string text = post(s.target(0, "/v1/echo"), 4000, "X-Body-Any: 1\r\n");
       const std::size_t end = text.find("\r\n\r\n") + 4 + draw.below(4000);
       s.split(0, text, end);
       s.whole(1), s.whole(1, "/v2/echo");
     }},
    {"two and a fraction, and denied", false,
     [](Scripts& s, Draw&) {
       std::string text = get(s.target(0, "/v1/echo"));
       text += get(s.target(0, "/v2/echo"));
       s.write(0, text + "GET /v1");
       s.denied(1);
     }},
    {"the end of a head apart, and whole", false,
     [](Scripts& s, Draw& draw) {
       const std::string text = get(s.target(0, "/v1/echo"));
       s.split(0, text, text.size() - 1 - draw.below(4));
       s.whole(1, "/v2/echo");
     }},
    {"byte by byte and denied", false,
     [](Scripts& s, Draw&) {
       for (const char byte : get(s.target(0, "/v1/echo"))) s.write(0, std::string(1, byte));
       s.denied(1), s.denied(1);
     }},
    {"pieces of three", false,
     [](Scripts& s, Draw& draw) {
       const std::string first = get(s.target(0, "/v1/echo"), "X: y\r\n");
       const std::string second = post(s.target(1, "/v2/echo"), 60 + draw.below(300), "X-Body-Any: 1\r\n");
       s.split(0, first, 1 + draw.below(static_cast<std::uint32_t>(first.size() - 1)));
       s.split(1, second, second.find("\r\n\r\n") + 4 + draw.below(60));
       s.denied(2), s.whole(2);
     }},
    {"two that are no requests", false,
     [](Scripts& s, Draw&) {
       s.write(0, "GET /v1/echo/x HTTP/1.1\r\n");
       s.write(0, "X-Deny: 1\r\nHost: e\r\n\r\n");
       s.write(1, "GET /v1/echo/y HTTP/1.1\r\nHost: e\r\nContent-Length: 5\r\n");
       s.write(1, "Transfer-Encoding: chunked\r\n\r\nhello");
     }},
};

struct Result {
  std::mutex mutex;
  std::uint64_t rounds = 0;
  std::uint64_t sends = 0;
  std::uint64_t answers = 0;
  std::uint64_t wrong = 0;
  std::string first;
};

/// One client: two writers that take their scripts at a barrier, and a reader.
class Racer {
 public:
  Racer(std::uint64_t seed, Result& result) : draw_(seed), seed_(seed), result_(result), gate_(writers + 1) {}

  void run(double end) {
    std::vector<std::thread> threads;
    for (int who = 0; who < writers; ++who) threads.emplace_back([this, who] { write(who); });
    for (std::uint64_t round = 0; now_seconds() < end; ++round) run_round((seed_ << 32) + round);
    stop_ = true;
    gate_.arrive_and_wait();
    for (std::thread& thread : threads) thread.join();
  }

 private:
  bool warm_up() {
    if (wire_.open()) return true;
    if (!wire_.connect()) return false;
    for (int i = 0; i < 3; ++i) {
      Reply reply;
      if (!wire_.send(get("/v1/echo/warm")) || wire_.read(reply) != Wire::Outcome::reply) {
        wire_.close();
        return false;
      }
    }
    return true;
  }

  void run_round(std::uint64_t round) {
    if (!warm_up()) return;
    kind_ = &kinds[draw_.below(std::size(kinds))];
    for (Script& script : scripts_) script = {};
    Scripts making(round, scripts_);
    kind_->make(making, draw_);
    std::size_t wanted = 0;
    for (const Script& script : scripts_)
      wanted += script.targets.size() + static_cast<std::size_t>(script.denied);
    ready_ = 0;
    gate_.arrive_and_wait();
    const std::string problem = read_answers(wanted);
    gate_.arrive_and_wait();
    if (!kind_->whole || !problem.empty()) wire_.close();
    const std::lock_guard lock(result_.mutex);
    ++result_.rounds;
    for (const Script& script : scripts_) result_.sends += script.writes.size();
    if (problem.empty()) return;
    ++result_.wrong;
    if (result_.first.empty()) result_.first = std::string(kind_->name) + ": " + problem;
  }

  void write(int who) {
    Draw draw(seed_ * 2 + static_cast<std::uint64_t>(who));
    while (true) {
      gate_.arrive_and_wait();
      if (stop_) return;
      for (std::uint32_t i = draw.below(600); i > 0; --i)
        __asm__ volatile("");  // not both at the same moment
      for (const std::string& bytes : scripts_[who].writes) wire_.send(bytes);
      if (++ready_ == writers && !kind_->whole) {
        wire_.send("\r\n\r\n");
        wire_.end_of_requests();
      }
      gate_.arrive_and_wait();
    }
  }

  /// What is wrong with them.
  std::string read_answers(std::size_t wanted) {
    std::size_t next[writers] = {};
    for (std::size_t count = 0; !kind_->whole || count < wanted; ++count) {
      Reply reply;
      const Wire::Outcome outcome = wire_.read(reply);
      const bool may_end = outcome == Wire::Outcome::ended || outcome == Wire::Outcome::reset;
      if (!kind_->whole && may_end) return {};
      if (outcome != Wire::Outcome::reply) {
        return std::string(name_of(outcome)) + " after " + std::to_string(count) + " of " +
               std::to_string(wanted) + ", unread memory " + std::to_string(wire_.unread_memory());
      }
      const std::lock_guard lock(result_.mutex);
      ++result_.answers;
      if (reply.target.empty() && reply.status >= 400) continue;
      bool known = false;
      for (int who = 0; who < writers && !known; ++who) {
        const std::vector<std::string>& targets = scripts_[who].targets;
        const auto found =
            std::find(targets.begin() + static_cast<std::ptrdiff_t>(next[who]), targets.end(), reply.target);
        known = found != targets.end();
        if (known) next[who] = static_cast<std::size_t>(found - targets.begin()) + 1;
      }
      if (!known) return "an answer to " + reply.target;
    }
    return {};
  }

  Wire wire_;
  Draw draw_;
  const std::uint64_t seed_;
  Result& result_;
  std::barrier<> gate_;
  std::atomic<int> ready_ = 0;
  Script scripts_[writers];
  const Kind* kind_ = nullptr;
  bool stop_ = false;
};

}  // namespace

int race(const Arguments& arguments) {
  const std::uint64_t clients = std::strtoull(arguments[0].c_str(), nullptr, 10);
  const double end = now_seconds() + std::atof(arguments[1].c_str());
  Result result;
  std::vector<std::thread> threads;
  for (std::uint64_t i = 0; i < clients; ++i) {
    threads.emplace_back([i, end, &result] { Racer(i + 1, result).run(end); });
  }
  for (std::thread& thread : threads) thread.join();
  std::printf("{\"rounds\": %lu, \"sends\": %lu, \"answers\": %lu, \"wrong\": %lu, \"first\": \"%s\"}\n",
              result.rounds, result.sends, result.answers, result.wrong, result.first.c_str());
  return 0;
}

}  // namespace heddle::fast_path
