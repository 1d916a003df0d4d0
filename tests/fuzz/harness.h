#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

/// What a fuzzer calls; it aborts where a property does not hold.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace heddle::fuzz {

/// Inputs to begin with, and pieces to put into them.
std::vector<std::string> seeds();
std::vector<std::string> words();

}  // namespace heddle::fuzz
