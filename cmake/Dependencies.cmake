# Every library we use, all of them Debian packages (`./dev deps` lists them), under one spelling each.
# Who may link which is a rule of the architecture and tested by tests/structure.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(GTest REQUIRED)

# 19 and no other: newer ones emit what libbpf 1.1 does not know, and bitcode is read by the LLVM that wrote it.
find_package(LLVM 19.1 REQUIRED CONFIG PATHS /usr/lib/llvm-19/lib/cmake/llvm NO_DEFAULT_PATH)
add_library(heddle_llvm INTERFACE)
target_include_directories(heddle_llvm SYSTEM INTERFACE ${LLVM_INCLUDE_DIRS})
separate_arguments(heddle_llvm_definitions UNIX_COMMAND "${LLVM_DEFINITIONS}")
target_compile_options(heddle_llvm INTERFACE ${heddle_llvm_definitions})
target_link_libraries(heddle_llvm INTERFACE LLVM)
add_library(heddle::llvm ALIAS heddle_llvm)

# Compiles filters (`extern` of a policy); the same version, whose modules go into ours.
find_path(HEDDLE_CLANG_INCLUDE clang/Frontend/CompilerInstance.h PATHS /usr/lib/llvm-19/include NO_DEFAULT_PATH REQUIRED)
find_library(HEDDLE_CLANG_LIBRARY clang-cpp PATHS /usr/lib/llvm-19/lib NO_DEFAULT_PATH REQUIRED)
add_library(heddle_clang INTERFACE)
target_include_directories(heddle_clang SYSTEM INTERFACE ${HEDDLE_CLANG_INCLUDE})
target_link_libraries(heddle_clang INTERFACE ${HEDDLE_CLANG_LIBRARY})
add_library(heddle::clang ALIAS heddle_clang)

find_program(HEDDLE_ANTLR4 antlr4 REQUIRED)
find_path(HEDDLE_ANTLR_INCLUDE antlr4-runtime.h PATHS /usr/include/antlr4-runtime REQUIRED)
find_library(HEDDLE_ANTLR_LIBRARY antlr4-runtime REQUIRED)
add_library(heddle_antlr INTERFACE)
target_include_directories(heddle_antlr SYSTEM INTERFACE ${HEDDLE_ANTLR_INCLUDE})
target_link_libraries(heddle_antlr INTERFACE ${HEDDLE_ANTLR_LIBRARY})
add_library(heddle::antlr ALIAS heddle_antlr)

pkg_check_modules(LIBBPF REQUIRED IMPORTED_TARGET libbpf)
add_library(heddle::libbpf ALIAS PkgConfig::LIBBPF)

pkg_check_modules(NGHTTP2 REQUIRED IMPORTED_TARGET libnghttp2)
add_library(heddle::nghttp2 ALIAS PkgConfig::NGHTTP2)

find_program(HEDDLE_BPF_CLANG clang-19 REQUIRED)
