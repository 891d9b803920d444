# millrace_module(NAME SOURCES a.cpp ... [LINKS target ...])
#   A static library millrace_NAME. Includes are written from the root of the tree, so a reader sees
#   in every include line which module it comes from; tests/unit/tidy_test.cpp checks who may include whom.
# millrace_test(NAME SOURCES a.cpp ... [LINKS target ...] [LABELS label ...] [TIMEOUT seconds])
#   One Catch2 program, registered as one ctest per program: 2-core machines lose more to process
#   start-up than they win by finer grain.

function(millrace_module name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINKS" ${ARGN})
  set(target millrace_${name})
  if(arg_SOURCES)
    add_library(${target} STATIC ${arg_SOURCES})
    target_link_libraries(${target} PUBLIC millrace_flags ${arg_LINKS})
    target_include_directories(${target} PUBLIC ${PROJECT_SOURCE_DIR})
  else()
    add_library(${target} INTERFACE)
    target_link_libraries(${target} INTERFACE millrace_flags ${arg_LINKS})
    target_include_directories(${target} INTERFACE ${PROJECT_SOURCE_DIR})
  endif()
endfunction()

function(millrace_test name)
  cmake_parse_arguments(arg "" "TIMEOUT" "SOURCES;LINKS;LABELS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE millrace_catch_main ${arg_LINKS})
  # A test's own code runs once and is compiled often; what it tests keeps its optimisation.
  target_compile_options(${name} PRIVATE $<$<CONFIG:Debug>:-O0>)
  add_test(NAME ${name} COMMAND ${name})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  set_tests_properties(${name} PROPERTIES LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT})
endfunction()
