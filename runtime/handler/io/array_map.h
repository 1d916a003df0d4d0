#pragma once

#include <cstddef>

#include "runtime/base/result.h"
#include "runtime/handler/io/bpf.h"
#include "runtime/handler/io/mapping.h"

namespace heddle::io {

/// How many bytes an array map has: the kernel lays out its values at multiples of 8 bytes.
[[nodiscard]] std::size_t array_bytes(const bpf::MapInfo& info);

/// Maps all of an array map whose values have this size. `name` is for the message.
[[nodiscard]] Result<Mapping> map_array(int map, const char* name, std::size_t value_size,
                                        Mapping::Access access);

}  // namespace heddle::io
