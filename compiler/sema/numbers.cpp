#include "compiler/sema/numbers.h"

#include <fmt/format.h>

#include <charconv>
#include <string_view>

#include "compiler/diagnostics/kinds.h"

namespace heddle::sema {

namespace kinds = diagnostics::kinds;

namespace {

/// All digits and small enough.
std::optional<std::uint32_t> to_number(std::string_view digits, std::uint32_t most) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size() || value > most) return std::nullopt;
  return value;
}

constexpr std::uint32_t longest_time = 24 * 3600 * 1000;

std::uint64_t unit_milliseconds(std::string_view unit) {
  if (unit == "ms") return 1;
  return unit == "s" ? 1000 : unit == "m" ? 60000 : 3600000;
}

}  // namespace

std::optional<std::uint32_t> number_in(diagnostics::Sink& sink, const ast::Number& number, const char* what,
                                       std::uint32_t least, std::uint32_t most) {
  const auto value = to_number(number.text, most);
  if (value && *value >= least) return value;
  sink.report(kinds::number_out_of_range(number.span, number.text, what, least, most));
  return std::nullopt;
}

std::optional<std::uint32_t> milliseconds(diagnostics::Sink& sink, const ast::Number& time) {
  const auto refuse = [&](const char* why) {
    sink.report(kinds::bad_time(time.span, time.text, why));
    return std::nullopt;
  };
  const std::string_view text = time.text;
  const std::size_t unit = text.find_first_not_of("0123456789.");
  const std::uint64_t factor = unit_milliseconds(text.substr(unit));
  const std::string_view number = text.substr(0, unit);
  const std::size_t dot = std::min(number.find('.'), number.size());
  const auto whole = to_number(number.substr(0, dot), longest_time);
  if (!whole || *whole * factor > longest_time) return refuse("a time is at most 24h");
  std::uint64_t result = *whole * factor;
  std::uint64_t scale = factor;  // of the decimal that follows, in tenths
  for (const char digit : number.substr(std::min(dot + 1, number.size()))) {
    if (digit != '0' && scale % 10 != 0) return refuse("a time has no fractions of a millisecond");
    scale /= 10;
    result += static_cast<std::uint64_t>(digit - '0') * scale;
  }
  if (result > longest_time) return refuse("a time is at most 24h");
  if (result == 0) return refuse("a time is at least 1ms");
  return static_cast<std::uint32_t>(result);
}

std::optional<std::uint32_t> parts_of_million(const std::string& percent) {
  std::string_view text = percent;
  if (!text.ends_with("%")) return std::nullopt;
  text.remove_suffix(1);
  const std::size_t dot = std::min(text.find('.'), text.size());
  std::string decimals(text.substr(std::min(dot + 1, text.size())));
  while (decimals.size() > 4 && decimals.back() == '0') decimals.pop_back();
  if (decimals.size() > 4) return std::nullopt;
  decimals.resize(4, '0');
  const auto whole = to_number(text.substr(0, dot), 100);
  const auto fraction = to_number(decimals, 9999);
  if (!whole || !fraction) return std::nullopt;
  return *whole * 10000 + *fraction;
}

std::string percent_text(std::uint64_t parts) {
  std::string text = fmt::format("{}.{:04}", parts / 10000, parts % 10000);
  while (text.ends_with("0")) text.pop_back();
  if (text.ends_with(".")) text.pop_back();
  return text;
}

std::optional<model::AddressRange> address_range(diagnostics::Sink& sink, const ast::String& text) {
  const std::size_t slash = text.value.find('/');
  model::AddressRange range;
  const auto refuse = [&](const char* why) -> diagnostics::Diagnostic& {
    return sink.report(kinds::bad_address(text.span, text.value, why));
  };
  if (!model::parse_ip(text.value.substr(0, slash), range.first)) {
    refuse("the IP address is malformed");
    return std::nullopt;
  }
  if (slash == std::string::npos) return range;
  const unsigned most = range.first.is_v4() ? 32 : 128;
  const auto bits = to_number(text.value.substr(slash + 1), most);
  if (!bits) {
    refuse(most == 32 ? "a prefix has at most 32 bits" : "a prefix has at most 128 bits");
    return std::nullopt;
  }
  range.bits = static_cast<std::uint8_t>(*bits + 128 - most);
  const model::IpAddress written = range.first;
  for (std::size_t bit = range.bits; bit < 128; ++bit)
    range.first.bytes[bit / 8] &= static_cast<std::uint8_t>(~(0x80U >> (bit % 8)));
  if (written == range.first) return range;
  refuse("it has bits behind its prefix").with_help("write `" + range.text() + "`, or the address without prefix");
  return std::nullopt;
}

std::optional<model::SocketAddress> socket_address(diagnostics::Sink& sink, const ast::Address& address) {
  const auto refuse = [&](const char* why) {
    sink.report(kinds::bad_address(address.span, address.text, why));
    return std::nullopt;
  };
  const std::size_t colon = address.text.rfind(':');
  std::string host = address.text.substr(0, colon);
  if (host.starts_with("[")) host = host.substr(1, host.size() - 2);
  model::SocketAddress result;
  if (!model::parse_ip(host, result.ip)) return refuse("the IP address is malformed");
  const auto port = to_number(address.text.substr(colon + 1), 65535);
  if (!port || *port == 0) return refuse("a port is from 1 to 65535");
  result.port = static_cast<std::uint16_t>(*port);
  const auto first = result.ip.is_v4() ? result.ip.bytes[12] : result.ip.bytes[0];
  const bool multicast = result.ip.is_v4() ? first >= 224 : first == 0xFF;
  const bool unspecified = result.ip == model::IpAddress{} || (result.ip.is_v4() && first == 0);
  if (multicast || unspecified) return refuse("nobody can connect to it");
  return result;
}

}  // namespace heddle::sema
