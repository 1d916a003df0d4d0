#pragma once

#include <optional>
#include <string_view>

namespace heddle::diagnostics {

/// The page docs/diagnostics/<code>.md, which is part of the program.
std::optional<std::string_view> find_page(std::string_view code);

}  // namespace heddle::diagnostics
