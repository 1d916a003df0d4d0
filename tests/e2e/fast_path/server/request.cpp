#include "tests/e2e/fast_path/server/request.h"

#include <algorithm>
#include <charconv>

namespace heddle::fast_path {

namespace {

constexpr std::size_t head_longest = 65536;

bool is_token(std::string_view text) {
  constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           marks.find(c) != std::string_view::npos;
  });
}

bool is_value(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
  });
}

std::string lower(std::string_view text) {
  std::string copy(text);
  for (char& c : copy) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return copy;
}

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") + 1 - begin);
}

bool parse_number(std::string_view text, int base, std::uint64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  return error == std::errc() && end == text.data() + text.size();
}

std::vector<std::string> split_path(std::string_view target) {
  std::vector<std::string> words;
  std::string_view rest = target.substr(0, target.find('?'));
  while (!rest.empty()) {
    rest.remove_prefix(1);
    const std::size_t end = std::min(rest.find('/'), rest.size());
    words.emplace_back(rest.substr(0, end));
    rest.remove_prefix(end);
  }
  return words;
}

}  // namespace

bool RequestReader::refuse(std::string why) {
  why_ = std::move(why);
  return false;
}

RequestReader::Outcome RequestReader::next() {
  if (state_ == State::head) {
    const Outcome outcome = take_head();
    if (outcome != Outcome::complete) return outcome;
  }
  return take_body();
}

RequestReader::Outcome RequestReader::take_head() {
  const std::size_t end = in_.find("\r\n\r\n");
  if (end == std::string::npos || end + 4 > head_longest) {
    if (in_.size() < head_longest) return Outcome::more;
    refuse("a head without end");
    return Outcome::violation;
  }
  request_ = {};
  hosts_ = lengths_ = encodings_ = 0;
  left_ = 0;
  summed_ = any_body_ = false;
  sum_ = fnv_start;
  if (!parse_head(std::string_view(in_).substr(0, end + 2))) return Outcome::violation;
  in_.erase(0, end + 4);
  state_ = encodings_ != 0 ? State::chunk_size : State::length;
  return Outcome::complete;
}

bool RequestReader::parse_head(std::string_view head) {
  const std::size_t first = head.find("\r\n");
  if (!parse_request_line(head.substr(0, first))) return false;
  std::string_view rest = head.substr(first + 2);
  while (!rest.empty()) {
    const std::size_t end = rest.find("\r\n");
    if (!parse_field(rest.substr(0, end))) return false;
    rest.remove_prefix(end + 2);
  }
  if (hosts_ > 1 || (hosts_ == 0 && !request_.http10)) return refuse("not one host");
  if (lengths_ > 1 || encodings_ > 1 || lengths_ + encodings_ > 1) return refuse("two lengths");
  return true;
}

bool RequestReader::parse_request_line(std::string_view line) {
  const std::size_t method_end = line.find(' ');
  const std::size_t target_end = line.rfind(' ');
  if (method_end == std::string_view::npos || method_end == target_end) return refuse("no request line");
  request_.method = line.substr(0, method_end);
  request_.target = line.substr(method_end + 1, target_end - method_end - 1);
  const std::string_view version = line.substr(target_end + 1);
  if (!is_token(request_.method)) return refuse("no method");
  request_.http10 = version == "HTTP/1.0";
  if (!request_.http10 && version != "HTTP/1.1") return refuse("no version");
  const auto visible = [](char c) { return c > 0x20 && c < 0x7f; };
  if (request_.target.empty() || !std::all_of(request_.target.begin(), request_.target.end(), visible))
    return refuse("no target");
  return check_path();
}

bool RequestReader::check_path() {
  if (request_.target.front() != '/') return refuse("not in origin form");
  request_.words = split_path(request_.target);
  if (request_.words.size() < 2) return refuse("a path of nobody");
  if (request_.words[0] != endpoint_ && request_.words[0] != "any")
    return refuse("a path of another endpoint");
  for (const std::string& word : request_.words) {
    if (word == "deny" || word == "." || word == ".." || word.empty()) return refuse("a path that is denied");
  }
  return true;
}

bool RequestReader::parse_field(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) return refuse("no field");
  const std::string name = lower(line.substr(0, colon));
  const std::string_view value = trim(line.substr(colon + 1));
  if (!is_value(value)) return refuse("no value");
  if (name == "x-deny") return refuse("a header that is denied");
  if (name == "host") ++hosts_;
  if (name == "content-length") {
    ++lengths_;
    if (!parse_number(value, 10, left_)) return refuse("no length");
  }
  if (name == "transfer-encoding") {
    ++encodings_;
    if (lower(value) != "chunked" || request_.http10) return refuse("a strange encoding");
  }
  if (name == "x-body-any") any_body_ = true;
  if (name == "x-body-fnv") {
    summed_ = true;
    if (!parse_number(value, 16, sum_said_)) return refuse("no sum");
  }
  return true;
}

RequestReader::Outcome RequestReader::take_body() {
  while (true) {
    if (state_ == State::length || state_ == State::chunk) {
      if (!take_content()) return Outcome::violation;
      if (left_ != 0) return Outcome::more;
      if (state_ == State::length) return finish();
      state_ = State::chunk_end;
    }
    const bool was_trailer = state_ == State::trailer;
    if (in_.find("\r\n") == std::string::npos) return Outcome::more;
    if (!take_chunk_line()) return Outcome::violation;
    if (was_trailer && state_ == State::head) return finish();
  }
}

bool RequestReader::take_content() {
  const std::size_t count = std::min<std::uint64_t>(left_, in_.size());
  for (std::size_t i = 0; i < count && !summed_ && !any_body_; ++i) {
    if (static_cast<std::uint8_t>(in_[i]) != pattern_at(request_.body + i))
      return refuse("a wrong byte in a body");
  }
  sum_ = fnv(sum_, std::string_view(in_).substr(0, count));
  request_.body += count;
  left_ -= count;
  in_.erase(0, count);
  return true;
}

bool RequestReader::take_chunk_line() {
  const std::size_t end = in_.find("\r\n");
  const std::string line = in_.substr(0, end);
  in_.erase(0, end + 2);
  if (state_ == State::chunk_end) {
    state_ = State::chunk_size;
    return line.empty() || refuse("a chunk without end");
  }
  if (state_ == State::trailer) {
    if (line.empty()) state_ = State::head;
    return true;
  }
  if (!parse_number(line.substr(0, line.find(';')), 16, left_)) return refuse("no chunk size");
  state_ = left_ == 0 ? State::trailer : State::chunk;
  return true;
}

RequestReader::Outcome RequestReader::finish() {
  state_ = State::head;
  if (summed_ && sum_ != sum_said_) {
    refuse("a body with another sum");
    return Outcome::violation;
  }
  return Outcome::complete;
}

}  // namespace heddle::fast_path
