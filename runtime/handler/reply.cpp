#include "runtime/handler/reply.h"

namespace heddle::handler {

namespace {

constexpr std::size_t rule_shown = 512;

struct Reason {
  std::uint16_t status;
  std::string_view phrase;
};

constexpr Reason reasons[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {409, "Conflict"},
    {410, "Gone"},
    {414, "URI Too Long"},
    {418, "I'm a teapot"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
};

std::string_view phrase_of(std::uint16_t status) {
  for (const Reason& reason : reasons) {
    if (reason.status == status) return reason.phrase;
  }
  return "";
}

/// Writes into a fixed space and drops what does not fit.
class Writer {
 public:
  explicit Writer(std::span<char> space) : space_(space) {}
  Writer& operator<<(std::string_view text) {
    used_ += text.copy(space_.data() + used_, space_.size() - used_);
    return *this;
  }
  Writer& operator<<(std::size_t number) {
    char digits[20];
    std::size_t at = sizeof digits;
    do {
      digits[--at] = static_cast<char>('0' + number % 10);
      number /= 10;
    } while (number != 0);
    return *this << std::string_view(digits + at, sizeof digits - at);
  }
  [[nodiscard]] std::size_t used() const { return used_; }

 private:
  std::span<char> space_;
  std::size_t used_ = 0;
};

/// A text of the policy as the value of a field: a label may hold any bytes, a line must not.
class FieldText {
 public:
  explicit FieldText(std::string_view text) {
    for (const char c : text.substr(0, rule_shown)) text_[used_++] = c >= 0x20 && c != 0x7f ? c : '?';
  }
  operator std::string_view() const { return {text_.data(), used_}; }  // NOLINT(google-explicit-constructor)

 private:
  std::array<char, rule_shown> text_;
  std::size_t used_ = 0;
};

}  // namespace

std::size_t write_reply_head(std::span<char> space, const Reply& reply, bool close, bool http10) {
  Writer out(space);
  out << "HTTP/1.1 " << std::size_t{reply.status} << " " << phrase_of(reply.status) << "\r\n";
  if (!reply.rule.empty()) out << "x-heddle-rule: " << FieldText(reply.rule) << "\r\n";
  if (!reply.location.empty()) out << "location: " << reply.location << "\r\n";
  if (!reply.allow.empty()) out << "allow: " << reply.allow << "\r\n";
  if (reply.retry_after != 0) out << "retry-after: " << std::size_t{reply.retry_after} << "\r\n";
  const bool bodiless = reply.status == 204 || reply.status == 304;
  if (!bodiless) {
    const std::string_view type = reply.type.empty() ? std::string_view("text/plain; charset=utf-8") : reply.type;
    if (!reply.body.empty()) out << "content-type: " << type << "\r\n";
    out << "content-length: " << reply.body.size() << "\r\n";
  }
  if (close) out << "connection: close\r\n";
  if (!close && http10) out << "connection: keep-alive\r\n";
  out << "\r\n";
  return out.used();
}

ShortText& ShortText::operator<<(std::string_view text) {
  used_ += text.copy(text_.data() + used_, text_.size() - used_);
  return *this;
}

void describe_denial(ShortText& out, std::string_view rule) {
  const std::string_view block = rule.substr(0, rule.rfind('/'));
  out << "denied by `" << rule.substr(0, rule_shown) << "`: ";
  if (rule == "mesh/outside") {
    out << "the destination belongs to no service, and the mesh has `outside deny`\n";
    return;
  }
  if (!rule.ends_with("/default")) {
    out << "a `deny` in the block `" << block << "` matches this request\n";
    return;
  }
  out << "no `allow` in the block `" << block << "` matches this request\n\n"
      << "to allow it, add a line for this caller to the policy:\n\n  " << block
      << " {\n    allow from <identity>\n  }\n";
}

void describe_refusal(ShortText& out, std::uint16_t status, std::string_view rule) {
  out << "refused by `" << rule.substr(0, rule_shown) << "`: ";
  if (rule == "mesh/path") {
    out << "the path could be read in two ways\n";
  } else if (status == 405) {
    out << "CONNECT is not passed on\n";
  } else if (status == 414) {
    out << "the request's target is longer than 16 KiB\n";
  } else if (status == 431) {
    out << "the request's head is longer than 64 KiB\n";
  } else {
    out << "the request is malformed or ambiguous\n";
  }
}

}  // namespace heddle::handler
