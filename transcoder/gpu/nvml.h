#pragma once
// What NVIDIA's driver says about the GPUs of this machine, through its management library (NVML).
//
// The library comes with the driver and is opened at run time; we declare the few functions that we
// call ourselves, so nothing is needed to build this and a machine without a driver just has no GPUs.
// It sees all GPUs of the machine, numbered by their place on the bus.
//
// Errors: unsupported when there is no driver or no GPU (the message says which is missing); device
// when the driver answers, but not as it should.
//
// Thread: one at a time. A call takes milliseconds, and seconds when a GPU is in trouble: not for a
// loop (see gpu_watch.h).

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"

namespace millrace::gpu {

// Of one GPU, as of now. What a card or driver does not tell is absent.
struct Reading {
    std::uint32_t index = 0;
    std::string uuid;  // "GPU-8f1c..."
    std::string name;  // "NVIDIA H100 80GB HBM3"
    // Share of the time in which the unit was at work, 0 to 1.
    std::optional<double> sm;
    std::optional<double> memory;
    std::optional<double> encoder;
    std::optional<double> decoder;
    std::optional<std::uint64_t> memory_used;   // bytes
    std::optional<std::uint64_t> memory_total;  // bytes
    std::optional<double> celsius;
    std::optional<double> watts;
    std::optional<std::uint32_t> encoder_sessions;  // of all processes
    std::vector<std::string> throttled;  // "thermal", "power", ...; empty: at full clocks
    std::optional<std::uint64_t> xid;  // last critical error that the driver reported since open()
};

class Nvml {
public:
    static constexpr std::uint32_t kGpusMax = 64;

    [[nodiscard]] static Result<std::unique_ptr<Nvml>> open(
        const std::string& library = "libnvidia-ml.so.1");
    ~Nvml();
    Nvml(const Nvml&) = delete;
    Nvml& operator=(const Nvml&) = delete;

    [[nodiscard]] const std::string& driver() const;  // version; empty: not told
    [[nodiscard]] std::vector<Reading> read();        // by index

private:
    class Impl;
    explicit Nvml(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::gpu
