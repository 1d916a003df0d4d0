#pragma once

#include "compiler/cli/command.h"

namespace heddle::cli {

#define HEDDLE_COMMAND(name) void add_##name(CommandSet& commands);
#include "compiler/cli/commands/commands.def"
#undef HEDDLE_COMMAND

}  // namespace heddle::cli
