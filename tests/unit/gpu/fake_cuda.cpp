// A library that plays libcuda.so.1: one device whose memory is the machine's, on which our kernel alone
// can be launched: tile by tile as scale_kernel.cu divides the work, with the same arithmetic.
// FFmpeg asks for all of these names before it uses any.
//
// CUDA_FAKE chooses what is wrong (fake_fault.h): "none" (no device), "gone" (none for engines, while the
// trial before found one), "hang", "sticks" (for engines only) and "crash" (when its context is asked for), "full" (no memory),
// "garbled" (pictures come back changed), "kernelless" (no code for this device), "unlike" (the kernel is a row off),
// "throws" (the fifth launch fails).
//
// Its thread waits as the driver's own do.

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <thread>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/unit/gpu/fake_fault.h"
#include "transcoder/cuda/scale_launch.h"

namespace {

using DevicePointer = unsigned long long;

constexpr int kSuccess = 0;
constexpr int kOutOfMemory = 2;
constexpr int kNoDevice = 100;
constexpr int kNoBinaryForGpu = 209;
constexpr int kLaunchFailed = 719;
constexpr int kNotSupported = 801;
constexpr int kLaunchesBeforeFailure = 4;
constexpr std::size_t kPitch = 256;
constexpr int kHost = 1;

int context;
thread_local int pushed = 0;

bool is(std::string_view fault) {
    return fake_fault(fault);
}

// Ends with the process.
void live_on() {
    static const bool started = [] {
        std::thread([] {
            const int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
            pollfd waits{event, POLLIN, 0};
            while (poll(&waits, 1, 100) >= 0)
                continue;
        }).detach();
        return true;
    }();
    (void)started;
}

// CUDA_MEMCPY2D
struct End {
    std::size_t x;
    std::size_t y;
    int type;
    void* host;
    DevicePointer device;
    void* array;
    std::size_t pitch;
};
struct Copy {
    End from;
    End to;
    std::size_t width;
    std::size_t height;
};

// What a block of the kernel does.
void make_tile(const millrace::cuda::Launch& launch, int block) {
    using namespace millrace::cuda;
    const int which = job_of(launch, block);
    const PlaneJob& job = launch.jobs[which];
    const int tile = block - launch.first_tile[which];
    const int left = tile % launch.tiles_across[which] * kTileColumns;
    const int top = tile / launch.tiles_across[which] * kTileRows;
    for (int row = top; row < std::min(top + kTileRows, job.y.outputs); ++row)
        for (int column = left; column < std::min(left + kTileColumns, columns(job)); ++column) {
            int sum = 0;
            for (int tap = 0; tap < job.y.taps; ++tap)
                sum +=
                    filter_down(job, row, tap, filter_across(job, job.y.first[row] + tap, column));
            put_sample(job, is("unlike") && row > 0 ? row - 1 : row, column, sum);
        }
}

char* place(const End& end) {
    char* base =
        end.type == kHost ? static_cast<char*>(end.host) : reinterpret_cast<char*>(end.device);
    return base + end.y * end.pitch + end.x;
}

}  // namespace

extern "C" {

int cuInit(unsigned) {
    return is("none") || (is("gone") && in_an_engine()) ? kNoDevice : kSuccess;
}
int cuDeviceGetCount(int* count) {
    *count = 1;
    return kSuccess;
}
int cuDeviceGet(int* device, int) {
    *device = 0;
    return kSuccess;
}
int cuDeviceGetAttribute(int* value, int, int) {
    *value = 1;
    return kSuccess;
}
int cuDeviceGetName(char* text, int size, int) {
    std::snprintf(text, static_cast<std::size_t>(size), "fake");
    return kSuccess;
}
int cuDeviceComputeCapability(int* major, int* minor, int) {
    *major = 9;
    *minor = 0;
    return kSuccess;
}

int cuDevicePrimaryCtxRetain(void** made, int) {
    while (is("hang") || (is("sticks") && in_an_engine()))
        pause();
    if (is("crash")) {
        std::signal(SIGSEGV, SIG_DFL);  // not the sanitizer's report
        std::raise(SIGSEGV);
    }
    live_on();
    *made = &context;
    return kSuccess;
}
int cuDevicePrimaryCtxRelease(int) {
    return kSuccess;
}
int cuDevicePrimaryCtxSetFlags(int, unsigned) {
    return kSuccess;
}
int cuDevicePrimaryCtxGetState(int, unsigned* flags, int* active) {
    *flags = 0;
    *active = 0;
    return kSuccess;
}
int cuDevicePrimaryCtxReset(int) {
    return kSuccess;
}
int cuCtxCreate_v2(void** made, unsigned, int) {
    *made = &context;
    return kSuccess;
}
int cuCtxSetLimit(int, std::size_t) {
    return kSuccess;
}
int cuCtxPushCurrent_v2(void*) {
    ++pushed;
    return kSuccess;
}
int cuCtxPopCurrent_v2(void** popped) {
    if (pushed <= 0)
        std::abort();
    --pushed;
    if (popped != nullptr)
        *popped = &context;
    return kSuccess;
}
int cuCtxDestroy_v2(void*) {
    return kSuccess;
}
int cuCtxGetDevice(int* device) {
    *device = 0;
    return kSuccess;
}

int cuMemAlloc_v2(DevicePointer* made, std::size_t size) {
    if (is("full"))
        return kOutOfMemory;
    *made = reinterpret_cast<DevicePointer>(std::calloc(1, size));
    return kSuccess;
}
int cuMemAllocPitch_v2(DevicePointer* made, std::size_t* pitch, std::size_t width,
                       std::size_t height, unsigned) {
    *pitch = (width + kPitch - 1) / kPitch * kPitch;
    return cuMemAlloc_v2(made, *pitch * height);
}
int cuMemFree_v2(DevicePointer memory) {
    std::free(reinterpret_cast<void*>(memory));
    return kSuccess;
}
int cuMemsetD8Async(DevicePointer memory, unsigned char value, std::size_t size, void*) {
    std::memset(reinterpret_cast<void*>(memory), value, size);
    return kSuccess;
}
int cuMemcpy2DAsync_v2(const Copy* copy, void*) {
    if (pushed <= 0)
        return kNotSupported;  // outside of its context
    for (std::size_t row = 0; row < copy->height; ++row)
        std::memcpy(place(copy->to) + row * copy->to.pitch,
                    place(copy->from) + row * copy->from.pitch, copy->width);
    if (is("garbled"))
        *place(copy->to) = 7;
    return kSuccess;
}
int cuMemcpy2D_v2(const Copy* copy) {
    return cuMemcpy2DAsync_v2(copy, nullptr);
}

int cuMemHostAlloc(void** made, std::size_t size, unsigned) {
    *made = std::calloc(1, size);
    return kSuccess;
}
int cuMemFreeHost(void* memory) {
    std::free(memory);
    return kSuccess;
}
int cuMemcpyHtoD_v2(DevicePointer to, const void* from, std::size_t size) {
    if (pushed <= 0)
        return kNotSupported;
    std::memcpy(reinterpret_cast<void*>(to), from, size);
    return kSuccess;
}
int cuMemcpyDtoHAsync_v2(void* to, DevicePointer from, std::size_t size, void*) {
    if (pushed <= 0)
        return kNotSupported;
    std::memcpy(to, reinterpret_cast<const void*>(from), size);
    return kSuccess;
}

int cuModuleLoadData(void** module, const void* image) {
    constexpr unsigned char kFatbin[] = {0x50, 0xed, 0x55, 0xba};
    if (pushed <= 0 || std::memcmp(image, kFatbin, sizeof kFatbin) != 0)
        return kNotSupported;
    if (is("kernelless"))
        return kNoBinaryForGpu;
    *module = &context;
    return kSuccess;
}
int cuModuleUnload(void*) {
    return kSuccess;
}
int cuModuleGetFunction(void** function, void*, const char* name) {
    *function = &context;
    return std::string_view(name) == millrace::cuda::kKernelName ? kSuccess : kNotSupported;
}
int cuLaunchKernel(void*, unsigned blocks, unsigned, unsigned, unsigned columns, unsigned rows,
                   unsigned, unsigned, void*, void** parameters, void**) {
    using namespace millrace::cuda;
    static std::atomic<int> launches{0};
    if (pushed <= 0 || columns != kTileColumns || rows != kThreadRows)
        return kNotSupported;
    if (is("throws") && ++launches > kLaunchesBeforeFailure)
        return kLaunchFailed;
    const auto& launch = *static_cast<const Launch*>(parameters[0]);
    for (unsigned block = 0; block < blocks; ++block)
        make_tile(launch, static_cast<int>(block));
    return kSuccess;
}

int cuGetErrorName(int number, const char** text) {
    *text = number == kNoDevice       ? "CUDA_ERROR_NO_DEVICE"
            : number == kOutOfMemory  ? "CUDA_ERROR_OUT_OF_MEMORY"
            : number == kNotSupported ? "CUDA_ERROR_NOT_SUPPORTED"
                                      : "CUDA_ERROR_UNKNOWN";
    return kSuccess;
}
int cuGetErrorString(int number, const char** text) {
    *text = number == kNoDevice         ? "no CUDA-capable device is detected"
            : number == kOutOfMemory    ? "out of memory"
            : number == kLaunchFailed   ? "unspecified launch failure"
            : number == kNoBinaryForGpu ? "no kernel image is available for execution on the device"
                                        : "a fake does not do this";
    return kSuccess;
}

int cuStreamCreate(void** stream, unsigned) {
    *stream = nullptr;
    return kSuccess;
}
int cuStreamQuery(void*) {
    return kSuccess;
}
int cuStreamSynchronize(void*) {
    return kSuccess;
}
int cuStreamDestroy_v2(void*) {
    return kSuccess;
}

#define NOT_SUPPORTED(name)   \
    int name() {              \
        return kNotSupported; \
    }
NOT_SUPPORTED(cuMemAllocManaged)
NOT_SUPPORTED(cuMemcpy)
NOT_SUPPORTED(cuMemcpyAsync)
NOT_SUPPORTED(cuMemcpyHtoDAsync_v2)
NOT_SUPPORTED(cuMemcpyDtoH_v2)
NOT_SUPPORTED(cuMemcpyDtoD_v2)
NOT_SUPPORTED(cuMemcpyDtoDAsync_v2)
NOT_SUPPORTED(cuStreamAddCallback)
NOT_SUPPORTED(cuEventCreate)
NOT_SUPPORTED(cuEventDestroy_v2)
NOT_SUPPORTED(cuEventSynchronize)
NOT_SUPPORTED(cuEventQuery)
NOT_SUPPORTED(cuEventRecord)
NOT_SUPPORTED(cuLinkCreate)
NOT_SUPPORTED(cuLinkAddData)
NOT_SUPPORTED(cuLinkComplete)
NOT_SUPPORTED(cuLinkDestroy)
NOT_SUPPORTED(cuModuleGetGlobal)
NOT_SUPPORTED(cuTexObjectCreate)
NOT_SUPPORTED(cuTexObjectDestroy)
NOT_SUPPORTED(cuGLGetDevices_v2)
NOT_SUPPORTED(cuGraphicsGLRegisterImage)
NOT_SUPPORTED(cuGraphicsUnregisterResource)
NOT_SUPPORTED(cuGraphicsMapResources)
NOT_SUPPORTED(cuGraphicsUnmapResources)
NOT_SUPPORTED(cuGraphicsSubResourceGetMappedArray)
NOT_SUPPORTED(cuGraphicsResourceGetMappedPointer_v2)
NOT_SUPPORTED(cuArray3DCreate_v2)
NOT_SUPPORTED(cuArrayDestroy)
NOT_SUPPORTED(cuEGLStreamProducerConnect)
NOT_SUPPORTED(cuEGLStreamProducerDisconnect)
NOT_SUPPORTED(cuEGLStreamConsumerDisconnect)
NOT_SUPPORTED(cuEGLStreamProducerPresentFrame)
NOT_SUPPORTED(cuEGLStreamProducerReturnFrame)

}  // extern "C"
