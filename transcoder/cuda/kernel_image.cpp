#include "transcoder/cuda/kernel_image.h"

#ifdef MILLRACE_KERNEL_IMAGE

// The driver wants it aligned.
asm(".pushsection .rodata\n"
    ".balign 16\n"
    "millrace_kernel_image:\n"
    ".incbin \"" MILLRACE_KERNEL_IMAGE
    "\"\n"
    "millrace_kernel_image_end:\n"
    ".popsection\n");

extern "C" const std::uint8_t millrace_kernel_image[];
extern "C" const std::uint8_t millrace_kernel_image_end[];

namespace millrace::cuda {

std::span<const std::uint8_t> kernel_image() {
    return {millrace_kernel_image, millrace_kernel_image_end};
}

}  // namespace millrace::cuda

#else

namespace millrace::cuda {

std::span<const std::uint8_t> kernel_image() {
    return {};
}

}  // namespace millrace::cuda

#endif
