#include "tests/e2e/fast_path/server/answer.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace heddle::fast_path {

namespace {

constexpr std::uint64_t chunk_longest = 7000;

/// Of one request: its words, and the answer that is made of them.
struct Making {
  const Request& request;
  const std::string& endpoint;
  Answer answer;

  [[nodiscard]] std::uint64_t number(std::size_t word) const {
    std::uint64_t value = 0;
    if (word < request.words.size()) {
      const std::string& text = request.words[word];
      std::from_chars(text.data(), text.data() + text.size(), value);
    }
    return value;
  }
  [[nodiscard]] bool has_body() const { return request.method != "HEAD"; }
  /// Status line and the fields that say whose answer this is, with further fields and the empty line.
  [[nodiscard]] std::string head(int status, const std::string& fields) const {
    return "HTTP/1.1 " + std::to_string(status) + " Fine\r\nX-Endpoint: " + endpoint +
           "\r\nX-Target: " + request.target + "\r\nX-Body: " + std::to_string(request.body) + "\r\n" +
           fields + "\r\n";
  }
  [[nodiscard]] static std::string length(std::uint64_t size) {
    return "Content-Length: " + std::to_string(size) + "\r\n";
  }
  void text(int status, const std::string& body, const std::string& fields = "") {
    answer.front += head(status, length(body.size()) + fields);
    if (has_body()) answer.front += body;
  }
  void sized(std::uint64_t size) {
    answer.front += head(200, length(size));
    if (has_body()) answer.size = size;
  }
};

void echo(Making& make) {
  make.text(200, make.endpoint + " " + make.request.method + " " + make.request.target + "\n");
}

void size(Making& make) {
  make.sized(make.number(2));
}

void chunked(Making& make) {
  make.answer.front = make.head(200, "Transfer-Encoding: chunked\r\n");
  if (!make.has_body()) return;
  make.answer.size = make.number(2);
  make.answer.chunked = true;
}

void until_close(Making& make) {
  make.answer.front = make.head(200, "");
  if (make.has_body()) make.answer.size = make.number(2);
  make.answer.after = Answer::After::close;
}

void pieces(Making& make) {
  make.answer.piece = make.number(2);
  make.sized(make.number(3));
}

void drip(Making& make) {
  make.answer.pause_ms = static_cast<int>(make.number(2));
  make.answer.piece = make.number(3);
  make.sized(make.number(4));
}

void interim(Making& make) {
  for (std::uint64_t i = 0; i < make.number(2); ++i) {
    make.answer.front +=
        i % 2 == 0 ? "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" : "HTTP/1.1 100 Continue\r\n\r\n";
  }
  echo(make);
}

void status(Making& make) {
  const int code = static_cast<int>(make.number(2));
  if (code == 204 || code == 304) {
    make.answer.front = make.head(code, "");
  } else {
    make.text(code, "status\n");
  }
}

/// A 304 may say how long the body is that it does not have.
void not_modified(Making& make) {
  make.answer.front = make.head(304, "Content-Length: 1000\r\n");
}

void slow(Making& make) {
  make.answer.delay_ms = static_cast<int>(make.number(2));
  echo(make);
}

void held(Making& make) {
  make.answer.held = true;
  echo(make);
}

void big_head(Making& make) {
  make.text(200, "big\n", "X-Fill: " + std::string(make.number(2), 'f') + "\r\n");
}

/// The head in two writes, the second some time after the first.
void split_head(Making& make) {
  make.answer.piece = make.number(2);
  make.answer.pause_ms = 10;
  echo(make);
}

void last_answer(Making& make) {
  make.text(200, "last\n", "Connection: close\r\n");
  make.answer.after = Answer::After::close;
}

void twice(Making& make) {
  echo(make);
  make.answer.front += "HTTP/1.1 200 OK\r\nX-Target: second\r\nContent-Length: 6\r\n\r\nsecond";
}

void twice_later(Making& make) {
  echo(make);
  make.answer.unasked = "HTTP/1.1 200 OK\r\nX-Target: second\r\nContent-Length: 6\r\n\r\nsecond";
}

void longer(Making& make) {
  make.text(200, "four");
  make.answer.front += " and more";
}

void longer_big(Making& make) {
  make.sized(make.number(2));
  make.answer.back = "and more";
}

void cut(Making& make) {
  make.answer.front = make.head(200, Making::length(make.number(2)));
  make.answer.size = make.number(3);
  make.answer.after = Answer::After::close;
}

void cut_reset(Making& make) {
  cut(make);
  make.answer.after = Answer::After::reset;
}

void cut_chunked(Making& make) {
  make.answer.front = make.head(200, "Transfer-Encoding: chunked\r\n") + "64\r\nonly a part";
  make.answer.after = Answer::After::close;
}

void cut_head(Making& make) {
  make.answer.front = "HTTP/1.1 200 OK\r\nContent-Le";
  make.answer.after = Answer::After::close;
}

void dying(Making& make) {
  make.answer.after = Answer::After::close;
}

void dying_reset(Making& make) {
  make.answer.after = Answer::After::reset;
}

// Responses that can be read in two ways, or in none.
constexpr std::array<const char*, 18> malformed_answers = {
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 9\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nX: a\r\n folded\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nContent-Length: 2,2\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nok",
    "HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.1 999 OK\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "nonsense\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX: a\rContent-Length: 0\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nok",
};

void malformed(Making& make) {
  make.answer.front = malformed_answers[make.number(2) % malformed_answers.size()];
  make.answer.piece = make.number(3);
}

struct Kind {
  std::string_view name;
  void (*make)(Making&);
};

constexpr Kind kinds[] = {
    {"echo", echo},
    {"size", size},          // bytes
    {"chunked", chunked},    // bytes
    {"close", until_close},  // bytes
    {"pieces", pieces},      // bytes of a write, bytes
    {"drip", drip},          // ms between writes, bytes of a write, bytes
    {"interim", interim},    // how many
    {"status", status},      // code
    {"not-modified", not_modified},
    {"slow", slow},  // ms
    {"held", held},
    {"big-head", big_head},      // bytes
    {"split-head", split_head},  // bytes of a write
    {"last", last_answer},
    {"twice", twice},
    {"twice-later", twice_later},
    {"longer", longer},
    {"longer-big", longer_big},  // bytes
    {"cut", cut},                // bytes announced, bytes sent
    {"cut-reset", cut_reset},    // the same
    {"cut-chunked", cut_chunked},
    {"cut-head", cut_head},
    {"dying", dying},
    {"dying-reset", dying_reset},
    {"malformed", malformed},  // which, bytes of a write
};

}  // namespace

Answer answer_to(const Request& request, const std::string& endpoint) {
  Making making{request, endpoint, {}};
  const auto* const found = std::find_if(std::begin(kinds), std::end(kinds),
                                         [&](const Kind& kind) { return kind.name == request.words[1]; });
  if (found == std::end(kinds)) {
    making.text(404, "no such answer\n");
  } else {
    found->make(making);
  }
  return std::move(making.answer);
}

std::string_view Writing::next() {
  if (sent_ == out_.size()) {
    out_.clear();
    sent_ = 0;
    fill();
  }
  const std::string_view rest = std::string_view(out_).substr(sent_);
  return answer_.piece != 0 ? rest.substr(0, answer_.piece) : rest;
}

/// Up to `pattern_longest` bytes more, so that a head and what follows it go out together.
void Writing::fill() {
  while (!ended_ && out_.size() < pattern_longest) {
    const std::uint64_t left = answer_.size - position_;
    if (left == 0) {
      if (answer_.chunked) out_ += "0\r\n\r\n";
      out_ += answer_.back;
      ended_ = true;
      return;
    }
    const std::string_view bytes = pattern(position_, answer_.chunked ? std::min(left, chunk_longest) : left);
    if (answer_.chunked) {
      char digits[20];
      const char* const end = std::to_chars(digits, digits + sizeof digits, bytes.size(), 16).ptr;
      out_.append(digits, static_cast<std::size_t>(end - digits)).append("\r\n").append(bytes).append("\r\n");
    } else {
      out_ += bytes;
    }
    position_ += bytes.size();
  }
}

}  // namespace heddle::fast_path
