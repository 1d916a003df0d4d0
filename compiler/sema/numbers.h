#pragma once

#include <cstdint>
#include <optional>

#include "compiler/ast/node.h"
#include "compiler/sema/analysis.h"

namespace heddle::sema {

/// The number if it is within the bounds; else nothing, and reported: `{what} is from … to …`.
std::optional<std::uint32_t> number_in(diagnostics::Sink& sink, const ast::Number& number, const char* what,
                                       std::uint32_t least, std::uint32_t most);

/// `2s`, `0.5s`, `250ms` in milliseconds; what is wrong is reported.
std::optional<std::uint32_t> milliseconds(diagnostics::Sink& sink, const ast::Number& time);

/// `12.5%` in parts of a million; nothing if it has more than four decimals or does not fit.
std::optional<std::uint32_t> parts_of_million(const std::string& percent);

/// `12.5` of 125000 parts of a million.
std::string percent_text(std::uint64_t parts);

/// `10.0.0.1:80` or `[fd00::1]:80`; what is wrong is reported.
/// An address, or a range of them: `10.0.0.0/8`.
std::optional<model::AddressRange> address_range(diagnostics::Sink& sink, const ast::String& text);

std::optional<model::SocketAddress> socket_address(diagnostics::Sink& sink, const ast::Address& address);

}  // namespace heddle::sema
