# CUDA is detected and never required (three machines must configure: nvcc present, absent, broken).
#
# nvcc's place is handed over in the environment as a hint only: setting CMAKE_CUDA_COMPILER here
# would make check_language skip its probe, and a wrapper script that points nowhere would then stop
# the configuration instead of turning CUDA off.

set(WITH_CUDA AUTO CACHE STRING "AUTO, ON or OFF")
set(MILLRACE_CUDA OFF)
if(NOT WITH_CUDA STREQUAL OFF)
  if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})
    find_program(MILLRACE_NVCC nvcc HINTS /usr/local/cuda/bin)
    if(MILLRACE_NVCC)
      set(ENV{CUDACXX} ${MILLRACE_NVCC})
    endif()
  endif()
  if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
    set(CMAKE_CUDA_ARCHITECTURES 75-real 80-real 86-real 89-real 90-real 90-virtual CACHE STRING "")
  endif()
  include(CheckLanguage)
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    set(MILLRACE_CUDA ON)
  elseif(WITH_CUDA STREQUAL ON)
    message(FATAL_ERROR "WITH_CUDA=ON, but no working nvcc was found")
  endif()
endif()
message(STATUS "CUDA: ${MILLRACE_CUDA}")
