# heddle_embed_bpf(NAME symbol KIND bitcode|object SOURCE file.bpf.c OUT_TARGET target [MCPU v3] [OPTIONS ...])
#   Compiles BPF C with clang 19 and makes the static library `target` that carries the bytes:
#     #include "embedded/symbol.h"
#     std::span<const std::byte> heddle::embedded::symbol();
#   The bytes do not depend on the folder of the build or of the sources: the compiler runs in the source root, is
#   given relative names, and maps the absolute ones of headers.
function(heddle_embed_bpf)
  cmake_parse_arguments(ARG "" "NAME;KIND;SOURCE;OUT_TARGET;MCPU" "OPTIONS" ${ARGN})
  if(NOT ARG_MCPU)
    set(ARG_MCPU v3)
  endif()
  if(ARG_KIND STREQUAL "bitcode")
    set(emit -emit-llvm)
    set(suffix bc)
  elseif(ARG_KIND STREQUAL "object")
    set(emit)
    set(suffix o)
  else()
    message(FATAL_ERROR "heddle_embed_bpf: KIND is bitcode or object, not `${ARG_KIND}`")
  endif()

  cmake_path(ABSOLUTE_PATH ARG_SOURCE BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} OUTPUT_VARIABLE source)
  cmake_path(RELATIVE_PATH source BASE_DIRECTORY ${CMAKE_SOURCE_DIR} OUTPUT_VARIABLE relative)
  set(folder ${CMAKE_BINARY_DIR}/embedded)
  set(binary ${folder}/${ARG_NAME}.bpf.${suffix})
  file(MAKE_DIRECTORY ${folder}/include/embedded)

  # The depfile names headers relative to the source root where they are; ninja would look below the build folder.
  add_custom_command(OUTPUT ${binary}
    COMMAND ${HEDDLE_BPF_CLANG} -target bpf -mcpu=${ARG_MCPU} -std=gnu11 -g -O2 -Wall -Wextra -Werror
      -I${CMAKE_SOURCE_DIR} -isystem /usr/include/${CMAKE_LIBRARY_ARCHITECTURE}
      -ffile-prefix-map=${CMAKE_SOURCE_DIR}/= -fdebug-compilation-dir=. ${ARG_OPTIONS}
      ${emit} -MD -MT ${binary} -MF ${binary}.d -c ${relative} -o ${binary}
    COMMAND sed -i -E "s#(^| )([^/ \\\\])#\\1${CMAKE_SOURCE_DIR}/\\2#g" ${binary}.d
    DEPENDS ${source}
    DEPFILE ${binary}.d
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
    COMMENT "BPF ${relative}"
    VERBATIM)

  heddle_embed_file(NAME ${ARG_NAME} FILE ${binary} OUT_TARGET ${ARG_OUT_TARGET})
endfunction()

# heddle_embed_file(NAME symbol FILE path OUT_TARGET target): the static library `target` carries the bytes of a file.
function(heddle_embed_file)
  cmake_parse_arguments(ARG "" "NAME;FILE;OUT_TARGET" "" ${ARGN})
  set(folder ${CMAKE_BINARY_DIR}/embedded)
  set(binary ${ARG_FILE})
  set(symbol ${ARG_NAME})
  file(MAKE_DIRECTORY ${folder}/include/embedded)
  configure_file(${CMAKE_SOURCE_DIR}/cmake/embedded.h.in ${folder}/include/embedded/${symbol}.h @ONLY)
  configure_file(${CMAKE_SOURCE_DIR}/cmake/embedded.cpp.in ${folder}/${symbol}.cpp @ONLY)
  configure_file(${CMAKE_SOURCE_DIR}/cmake/embedded.S.in ${folder}/${symbol}.S @ONLY)
  set_source_files_properties(${folder}/${symbol}.S PROPERTIES OBJECT_DEPENDS ${binary} COMPILE_OPTIONS -g0)

  add_library(${ARG_OUT_TARGET} STATIC ${folder}/${symbol}.cpp ${folder}/${symbol}.S)
  target_include_directories(${ARG_OUT_TARGET} PUBLIC ${folder}/include)
endfunction()
