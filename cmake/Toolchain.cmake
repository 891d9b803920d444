# Warnings, sanitizers, compiler cache and linker: one interface target that every module links.

add_library(millrace_flags INTERFACE)
target_compile_options(millrace_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor)
if(MILLRACE_WERROR)
  target_compile_options(millrace_flags INTERFACE -Werror)
endif()

# Debug is -O1: a sanitized -O0 build of the simulator is four times slower and finds nothing more.
set(CMAKE_CXX_FLAGS_DEBUG "-g1 -O1 -fno-omit-frame-pointer" CACHE STRING "" FORCE)
set(CMAKE_C_FLAGS_DEBUG "-g1 -O1 -fno-omit-frame-pointer" CACHE STRING "" FORCE)

if(MILLRACE_SANITIZE)
  # Not for nvcc, which does not know them.
  add_compile_options($<$<COMPILE_LANGUAGE:C,CXX>:-fsanitize=${MILLRACE_SANITIZE}>
                      $<$<COMPILE_LANGUAGE:C,CXX>:-fno-sanitize-recover=all>)
  add_link_options(-fsanitize=${MILLRACE_SANITIZE})
  # GCC 12 reports false maybe-uninitialized and restrict warnings inside the standard library when
  # sanitizers are on (GCC bugs 105562 and 105329).
  target_compile_options(millrace_flags INTERFACE -Wno-maybe-uninitialized -Wno-restrict)
endif()
if(MILLRACE_SANITIZE MATCHES thread)
  # GCC 12: libstdc++ and Asio use atomic_thread_fence, which TSan does not model.
  target_compile_options(millrace_flags INTERFACE -Wno-tsan)
endif()
if(MILLRACE_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined)
  add_link_options(-fsanitize=address,undefined)
endif()

find_program(MILLRACE_CCACHE ccache)
if(MILLRACE_CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${MILLRACE_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${MILLRACE_CCACHE})
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${MILLRACE_CCACHE})
endif()
find_program(MILLRACE_MOLD mold)
if(MILLRACE_MOLD AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_link_options(-fuse-ld=mold)
endif()
