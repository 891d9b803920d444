# CUDA is detected and never required (three machines must configure: nvcc present, absent, broken).
# tests/build/test_cuda.py is all three of them.
#
# nvcc's place is handed over in the environment as a hint only: setting CMAKE_CUDA_COMPILER here
# would make check_language skip its probe, and a wrapper script that points nowhere would then stop
# the configuration instead of turning CUDA off.
#
# Code for 8.0 runs on 8.6 and 8.9 as well, and the driver translates 9.0's for what comes later: few
# architectures, so that a build does not wait for nvcc. nvcc 13 knows nothing older than 7.5.

set(WITH_CUDA AUTO CACHE STRING "AUTO, ON or OFF")
set(MILLRACE_CUDA OFF)
if(WITH_CUDA STREQUAL OFF)
  set(cuda_why "WITH_CUDA=OFF")
else()
  find_program(MILLRACE_NVCC nvcc HINTS /usr/local/cuda/bin)
  set(cuda_why "no nvcc was found")
endif()
if(NOT WITH_CUDA STREQUAL OFF AND (MILLRACE_NVCC OR CMAKE_CUDA_COMPILER OR DEFINED ENV{CUDACXX}))
  if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})
    set(ENV{CUDACXX} ${MILLRACE_NVCC})
  endif()
  if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
    set(CMAKE_CUDA_ARCHITECTURES 75-real 80-real 90 CACHE STRING "")
  endif()
  include(CheckLanguage)
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    enable_language(CUDA)
    # Kernels are compiled to code that the driver loads (transcoder/cuda/CMakeLists.txt), for these
    # architectures as CMake writes them: "80-real" is code for 8.0, "90" also what drivers translate.
    set(MILLRACE_CUDA_CODE)
    foreach(architecture IN LISTS CMAKE_CUDA_ARCHITECTURES)
      string(REGEX MATCH "^[0-9]+[a-z]*" number ${architecture})
      if(number AND NOT architecture MATCHES "-virtual$")
        list(APPEND MILLRACE_CUDA_CODE -gencode=arch=compute_${number},code=sm_${number})
      endif()
      if(number AND NOT architecture MATCHES "-real$")
        list(APPEND MILLRACE_CUDA_CODE -gencode=arch=compute_${number},code=compute_${number})
      endif()
    endforeach()
    set(MILLRACE_CUDA ON)
    set(cuda_why "nvcc ${CMAKE_CUDA_COMPILER_VERSION}, ${CMAKE_CUDA_ARCHITECTURES}")
  else()
    set(cuda_why "$ENV{CUDACXX} does not work")
  endif()
endif()
if(WITH_CUDA STREQUAL ON AND NOT MILLRACE_CUDA)
  message(FATAL_ERROR "WITH_CUDA=ON, but ${cuda_why}")
endif()
message(STATUS "CUDA: ${MILLRACE_CUDA} (${cuda_why})")
