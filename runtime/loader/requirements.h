#pragma once

#include "runtime/base/result.h"
#include "runtime/bundle/manifest.h"

namespace heddle::loader {

/// Whether this machine can run programs at all: system call, privilege. Nothing is left behind.
Result<void> check_machine();

/// Whether the running kernel has what the bundle asks for; says what is missing.
Result<void> check_requirements(const bundle::Manifest& manifest);

/// Why bpf() answered EPERM, and what to do: privilege, the container, or the kernel's lockdown.
Error bpf_refused();

}  // namespace heddle::loader
