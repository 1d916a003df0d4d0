#pragma once

#include <string_view>

#include "compiler/model/regex.h"

namespace heddle::eval {

/// Whether the whole text is one that the expression describes.
bool matches(const model::Regex& regex, std::string_view text);

}  // namespace heddle::eval
