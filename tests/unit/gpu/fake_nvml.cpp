// A library that plays the driver's: two GPUs, the second without encoders, as data centre cards are.
// MILLRACE_FAKE_NVML in the environment chooses what is wrong: "unloaded", "empty", "lost" (GPU 0
// fell off the bus), "broken".

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace {

constexpr int kSuccess = 0;
constexpr int kNotSupported = 3;
constexpr int kDriverNotLoaded = 9;
constexpr int kTimeout = 10;
constexpr int kLost = 15;
constexpr int kUnknown = 999;

int devices[2];
int event_set;
bool xid_told = false;

bool is(std::string_view fault) {
    const char* chosen = std::getenv("MILLRACE_FAKE_NVML");
    return chosen != nullptr && fault == chosen;
}

bool first(const void* device) {
    return device == &devices[0];
}

}  // namespace

extern "C" {

int nvmlInit_v2() {
    xid_told = false;
    return is("unloaded") ? kDriverNotLoaded : is("broken") ? kUnknown : kSuccess;
}
int nvmlShutdown() {
    return kSuccess;
}
int nvmlSystemGetDriverVersion(char* text, unsigned size) {
    std::snprintf(text, size, "580.65.06");
    return kSuccess;
}
int nvmlDeviceGetCount_v2(unsigned* count) {
    *count = is("empty") ? 0 : 2;
    return kSuccess;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device) {
    *device = &devices[index];
    return index == 0 && is("lost") ? kLost : kSuccess;
}
int nvmlDeviceGetName(void* device, char* text, unsigned size) {
    std::snprintf(text, size, first(device) ? "NVIDIA GeForce RTX 4090" : "NVIDIA H100 80GB HBM3");
    return kSuccess;
}
int nvmlDeviceGetUUID(void* device, char* text, unsigned size) {
    std::snprintf(text, size, first(device) ? "GPU-aaaa" : "GPU-bbbb");
    return kSuccess;
}
int nvmlDeviceGetUtilizationRates(void*, unsigned* percents) {
    percents[0] = 75;
    percents[1] = 130;  // nonsense is cut off
    return kSuccess;
}
int nvmlDeviceGetEncoderUtilization(void* device, unsigned* percent, unsigned* period_us) {
    *percent = 40;
    *period_us = 166'666;
    return first(device) ? kSuccess : kNotSupported;
}
int nvmlDeviceGetDecoderUtilization(void*, unsigned* percent, unsigned* period_us) {
    *percent = 25;
    *period_us = 166'666;
    return kSuccess;
}
int nvmlDeviceGetMemoryInfo(void*, unsigned long long* bytes) {
    bytes[0] = 24ULL << 30;
    bytes[1] = 23ULL << 30;
    bytes[2] = 1ULL << 30;
    return kSuccess;
}
int nvmlDeviceGetTemperature(void*, int sensor, unsigned* celsius) {
    *celsius = 61;
    return sensor == 0 ? kSuccess : kNotSupported;
}
int nvmlDeviceGetPowerUsage(void*, unsigned* milliwatts) {
    *milliwatts = 215'500;
    return kSuccess;
}
int nvmlDeviceGetEncoderStats(void* device, unsigned* sessions, unsigned* fps, unsigned* latency) {
    *sessions = 3;
    *fps = *latency = 0;
    return first(device) ? kSuccess : kNotSupported;
}
int nvmlDeviceGetCurrentClocksThrottleReasons(void* device, unsigned long long* bits) {
    *bits = first(device) ? 0x1 | 0x4 | 0x20 | 0x40 : 0x1;
    return kSuccess;
}
int nvmlEventSetCreate(void** set) {
    *set = &event_set;
    return kSuccess;
}
int nvmlEventSetFree(void*) {
    return kSuccess;
}
int nvmlDeviceRegisterEvents(void*, unsigned long long, void*) {
    return kSuccess;
}

struct Event {
    void* device;
    unsigned long long type;
    unsigned long long data;
    unsigned instances[2];
};
int nvmlEventSetWait_v2(void*, Event* event, unsigned) {
    if (xid_told)
        return kTimeout;
    xid_told = true;
    *event = {&devices[1], 8, 79, {0, 0}};  // fell off the bus
    return kSuccess;
}

}  // extern "C"
