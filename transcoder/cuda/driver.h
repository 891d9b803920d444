#pragma once
// The few functions of the driver's library (libcuda.so.1) that we call ourselves, found at run time:
// a program with them starts on machines that have no driver.
//
// The names and numbers are those of the CUDA driver API, whose binary interface does not change; no
// header of the toolkit is needed.
//
// Errors: unsupported (no driver, no device, or none that this build has code for), overloaded (no memory
// left on the device), device (everything else: the context is lost).
//
// Thread: any.

#include <cstddef>
#include <cstdint>

#include "common/base/result.h"

namespace millrace::cuda {

using DevicePointer = unsigned long long;  // CUdeviceptr

struct Driver {
    // Loads the library once in a process and never closes it.
    [[nodiscard]] static Result<const Driver*> get();
    // What a call returned, with the driver's own words.
    [[nodiscard]] Result<void> checked(const char* operation, int rc) const;

    int (*init)(unsigned) = nullptr;
    int (*device_get)(int*, int) = nullptr;
    int (*device_name)(char*, int, int) = nullptr;
    int (*retain_context)(void**, int) = nullptr;
    int (*release_context)(int) = nullptr;
    int (*push)(void*) = nullptr;
    int (*pop)(void**) = nullptr;
    int (*load_module)(void**, const void*) = nullptr;
    int (*unload_module)(void*) = nullptr;
    int (*get_function)(void**, void*, const char*) = nullptr;
    int (*allocate)(DevicePointer*, std::size_t) = nullptr;
    int (*free)(DevicePointer) = nullptr;
    int (*allocate_host)(void**, std::size_t, unsigned) = nullptr;
    int (*free_host)(void*) = nullptr;
    int (*to_device)(DevicePointer, const void*, std::size_t) = nullptr;
    int (*to_host)(void*, DevicePointer, std::size_t, void*) = nullptr;
    int (*launch)(void*, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,
                  void*, void**, void**) = nullptr;
    int (*synchronize)(void*) = nullptr;
    int (*error_string)(int, const char**) = nullptr;
};

}  // namespace millrace::cuda
