#include "transcoder/cuda/driver.h"

#include <string>

#include <dlfcn.h>

namespace millrace::cuda {
namespace {

// Of cuda.h, where they are the values of CUresult.
constexpr int kOutOfMemory = 2;
constexpr int kNoDevice = 100;
constexpr int kInvalidDevice = 101;
constexpr int kNoBinaryForGpu = 209;
constexpr int kUnsupportedPtxVersion = 222;
constexpr int kSystemDriverMismatch = 803;

ErrorKind kind_of(int rc) {
    switch (rc) {
        case kOutOfMemory:
            return ErrorKind::overloaded;
        case kNoDevice:
        case kInvalidDevice:
        case kNoBinaryForGpu:
        case kUnsupportedPtxVersion:
        case kSystemDriverMismatch:
            return ErrorKind::unsupported;
        default:
            return ErrorKind::device;
    }
}

template <class Function>
bool find(void* library, const char* name, Function& function) {
    function = reinterpret_cast<Function>(dlsym(library, name));
    return function != nullptr;
}

// Null, or the name of the function that is missing.
const char* find_all(void* library, Driver& to) {
    const char* missing = nullptr;
    const auto look = [&](const char* name, auto& function) {
        if (!find(library, name, function))
            missing = name;
    };
    look("cuInit", to.init);
    look("cuDeviceGet", to.device_get);
    look("cuDeviceGetName", to.device_name);
    look("cuDevicePrimaryCtxRetain", to.retain_context);
    look("cuDevicePrimaryCtxRelease", to.release_context);
    look("cuCtxPushCurrent_v2", to.push);
    look("cuCtxPopCurrent_v2", to.pop);
    look("cuModuleLoadData", to.load_module);
    look("cuModuleUnload", to.unload_module);
    look("cuModuleGetFunction", to.get_function);
    look("cuMemAlloc_v2", to.allocate);
    look("cuMemFree_v2", to.free);
    look("cuMemHostAlloc", to.allocate_host);
    look("cuMemFreeHost", to.free_host);
    look("cuMemcpyHtoD_v2", to.to_device);
    look("cuMemcpyDtoHAsync_v2", to.to_host);
    look("cuLaunchKernel", to.launch);
    look("cuStreamSynchronize", to.synchronize);
    look("cuGetErrorString", to.error_string);
    return missing;
}

Result<Driver> load() {
    void* library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr)
        return error(ErrorKind::unsupported,
                     "there is no CUDA driver: libcuda.so.1 is not installed");
    Driver driver;
    if (const char* missing = find_all(library, driver); missing != nullptr)
        return error(ErrorKind::unsupported, std::string("libcuda.so.1 has no ") + missing);
    return driver;
}

}  // namespace

Result<const Driver*> Driver::get() {
    static const Result<Driver> driver = load();
    if (!driver)
        return driver.error();
    return &*driver;
}

Result<void> Driver::checked(const char* operation, int rc) const {
    if (rc == 0)
        return {};
    const char* words = nullptr;
    if (error_string(rc, &words) != 0 || words == nullptr)
        words = "an error without a name";
    return error(kind_of(rc), std::string(operation) + ": " + words + " (CUDA error " +
                                  std::to_string(rc) + ")");
}

}  // namespace millrace::cuda
