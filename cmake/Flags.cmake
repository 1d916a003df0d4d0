# Options of every target of ours. Generated code (ANTLR) turns the warnings off for itself.

add_library(heddle_flags INTERFACE)
target_compile_options(heddle_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion
  # clang, which makes the fuzzers, sees deprecated functions in the headers of GCC 12.
  $<$<CXX_COMPILER_ID:GNU>:-Werror>
  # GCC 12 reports std::string concatenation as overlapping memcpy (its bug 105651).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
  # It also sees overflows in inlined std::vector::insert that are none (its bug 107852).
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<CONFIG:Release>>:-Wno-stringop-overflow>
  # Sanitizers make it see uninitialised values in std::function (its manual warns of that).
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<BOOL:${HEDDLE_SANITIZE}>>:-Wno-maybe-uninitialized>
  # Nothing we ship may contain the folder it was built in.
  -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)

if(HEDDLE_SANITIZE)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()

if(HEDDLE_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link -fprofile-instr-generate -fcoverage-mapping)
  add_link_options(-fprofile-instr-generate)
endif()

find_program(HEDDLE_CCACHE ccache)
if(HEDDLE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER ${HEDDLE_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${HEDDLE_CCACHE})
endif()
