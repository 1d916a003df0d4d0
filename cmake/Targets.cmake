# The three ways to make a target.

# heddle_library(compiler/syntax DEPS heddle::source LIBS heddle::antlr)
#   A static library of all *.cpp of the folder except main.cpp, known as heddle::compiler_syntax and, shorter,
#   heddle::syntax. DEPS are libraries of ours and pass on to users; LIBS are foreign and do not, so that a header
#   of LLVM is out of reach for whoever does not name it.
function(heddle_library folder)
  cmake_parse_arguments(ARG "" "" "DEPS;LIBS;SOURCES" ${ARGN})
  string(REPLACE "/" "_" name ${folder})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/*.cpp)
  list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")
  list(APPEND sources ${ARG_SOURCES})
  if(sources)
    add_library(heddle_${name} STATIC ${sources})
    # What the tests run longest in: without it they take ten times as long as with, to save a part of the compile time.
    if(HEDDLE_SANITIZE AND folder MATCHES "^compiler/(syntax|sema|plan|eval)$")
      target_compile_options(heddle_${name} PRIVATE -O1)
    endif()
    target_include_directories(heddle_${name} PUBLIC ${CMAKE_SOURCE_DIR})
    target_link_libraries(heddle_${name} PUBLIC ${ARG_DEPS} PRIVATE heddle_flags ${ARG_LIBS})
  else()
    add_library(heddle_${name} INTERFACE)
    target_include_directories(heddle_${name} INTERFACE ${CMAKE_SOURCE_DIR})
    target_link_libraries(heddle_${name} INTERFACE ${ARG_DEPS} ${ARG_LIBS})
  endif()
  get_filename_component(short ${folder} NAME)
  foreach(alias IN ITEMS ${name} ${short})
    if(NOT TARGET heddle::${alias})
      add_library(heddle::${alias} ALIAS heddle_${name})
      set_property(GLOBAL APPEND PROPERTY HEDDLE_ALIASES heddle::${alias}=heddle_${name})
    endif()
  endforeach()
endfunction()

# A folder that is not there yet: whoever depends on it can be configured, but not linked.
function(heddle_unwritten folder)
  string(REPLACE "/" "_" name ${folder})
  get_filename_component(short ${folder} NAME)
  add_library(heddle_${name} INTERFACE)
  target_include_directories(heddle_${name} INTERFACE ${CMAKE_SOURCE_DIR})
  foreach(alias IN ITEMS ${name} ${short})
    if(NOT TARGET heddle::${alias})
      add_library(heddle::${alias} ALIAS heddle_${name})
    endif()
  endforeach()
endfunction()

# heddle_program(heddle SOURCES main.cpp DEPS heddle::cli LIBS ...): an executable in <builddir>/bin/.
function(heddle_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS;LIBS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE heddle_flags ${ARG_DEPS} ${ARG_LIBS})
endfunction()

# What every test finds in its environment, besides the two macros that C++ tests are compiled with.
set(HEDDLE_TEST_ENVIRONMENT
  HEDDLE_SOURCE_DIR=${CMAKE_SOURCE_DIR} HEDDLE_BUILD_DIR=${CMAKE_BINARY_DIR} HEDDLE_BIN_DIR=${CMAKE_BINARY_DIR}/bin)

function(heddle_test_properties name timeout labels)
  set_tests_properties(${name} PROPERTIES
    LABELS "${labels}" TIMEOUT ${timeout} ENVIRONMENT "${HEDDLE_TEST_ENVIRONMENT}")
  # Tests that attach programs or measure take turns: some look at what others leave behind in the kernel. The differential
  # tests load programs of their own, attach nothing, and take most of the time.
  if(labels MATCHES "kernel|e2e")
    set_tests_properties(${name} PROPERTIES RESOURCE_LOCK machine)
  endif()
endfunction()

# heddle_test(NAME unit_syntax SOURCES a.cpp DEPS heddle::syntax LIBS ... LABELS unit [TIMEOUT s] [ARGS ...])
#   A GoogleTest binary in <builddir>/tests/bin; its cases are counted from <builddir>/reports/NAME.xml.
#   HEDDLE_SOURCE_DIR and HEDDLE_BIN_DIR are string macros. Labels: unit golden kernel differential e2e structure.
function(heddle_test)
  cmake_parse_arguments(ARG "" "NAME;TIMEOUT" "SOURCES;DEPS;LIBS;LABELS;ARGS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  add_executable(${ARG_NAME} ${ARG_SOURCES})
  set_target_properties(${ARG_NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/bin)
  target_include_directories(${ARG_NAME} PRIVATE ${CMAKE_SOURCE_DIR})
  target_compile_definitions(${ARG_NAME} PRIVATE
    HEDDLE_SOURCE_DIR="${CMAKE_SOURCE_DIR}" HEDDLE_BUILD_DIR="${CMAKE_BINARY_DIR}"
    HEDDLE_BIN_DIR="${CMAKE_BINARY_DIR}/bin")
  target_link_libraries(${ARG_NAME} PRIVATE heddle_flags ${ARG_DEPS} ${ARG_LIBS} GTest::gtest GTest::gtest_main)
  add_test(NAME ${ARG_NAME}
    COMMAND ${ARG_NAME} --gtest_output=xml:${CMAKE_BINARY_DIR}/reports/${ARG_NAME}.xml ${ARG_ARGS})
  heddle_test_properties(${ARG_NAME} ${ARG_TIMEOUT} "${ARG_LABELS}")
endfunction()

# heddle_script_test(NAME e2e_first_policy COMMAND python3 ${CMAKE_CURRENT_SOURCE_DIR}/x.py LABELS e2e [TIMEOUT s])
#   A test that is a script; exit 0 is success and 77 a skip. It finds HEDDLE_SOURCE_DIR, HEDDLE_BUILD_DIR and
#   HEDDLE_BIN_DIR in its environment.
function(heddle_script_test)
  cmake_parse_arguments(ARG "" "NAME;TIMEOUT" "COMMAND;LABELS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  add_test(NAME ${ARG_NAME} COMMAND ${ARG_COMMAND})
  heddle_test_properties(${ARG_NAME} ${ARG_TIMEOUT} "${ARG_LABELS}")
  set_tests_properties(${ARG_NAME} PROPERTIES SKIP_RETURN_CODE 77)
endfunction()

# Writes <builddir>/link-graph.txt, what every target of ours links itself, for tests/structure. Call it last.
function(heddle_write_link_graph)
  set(graph "")
  heddle_collect_links(${CMAKE_SOURCE_DIR} graph)
  file(WRITE ${CMAKE_BINARY_DIR}/link-graph.txt "${graph}")
endfunction()

function(heddle_collect_links folder result)
  set(graph "${${result}}")
  get_property(targets DIRECTORY ${folder} PROPERTY BUILDSYSTEM_TARGETS)
  cmake_path(RELATIVE_PATH folder BASE_DIRECTORY ${CMAKE_SOURCE_DIR} OUTPUT_VARIABLE relative)
  foreach(target IN LISTS targets)
    get_target_property(type ${target} TYPE)
    if(type STREQUAL "UTILITY")
      continue()
    endif()
    set(links "")
    foreach(property IN ITEMS LINK_LIBRARIES INTERFACE_LINK_LIBRARIES)
      get_target_property(libraries ${target} ${property})
      if(libraries)
        list(APPEND links ${libraries})
      endif()
    endforeach()
    list(REMOVE_DUPLICATES links)
    list(JOIN links " " links)
    string(APPEND graph "target\t${target}\t${relative}|${links}\n")
  endforeach()
  get_property(aliases GLOBAL PROPERTY HEDDLE_ALIASES)
  if(folder STREQUAL CMAKE_SOURCE_DIR)
    foreach(alias IN LISTS aliases)
      string(REPLACE "=" "\t" alias ${alias})
      string(APPEND graph "alias\t${alias}\n")
    endforeach()
  endif()
  get_property(children DIRECTORY ${folder} PROPERTY SUBDIRECTORIES)
  foreach(child IN LISTS children)
    heddle_collect_links(${child} graph)
  endforeach()
  set(${result} "${graph}" PARENT_SCOPE)
endfunction()
