#pragma once
// Our kernel's code for the architectures that cmake/Cuda.cmake names, as nvcc packed it (a "fatbin").
//
// Empty: the build found no CUDA toolkit. Thread: any.

#include <cstdint>
#include <span>

namespace millrace::cuda {

[[nodiscard]] std::span<const std::uint8_t> kernel_image();

}  // namespace millrace::cuda
