#pragma once

namespace heddle::cli {

/// Whether to write colours: a terminal that is not dumb, and no NO_COLOR.
bool colour_on_stdout();
bool colour_on_stderr();

}  // namespace heddle::cli
