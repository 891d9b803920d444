#include "transcoder/gpu/nvml.h"

#include <algorithm>
#include <array>
#include <utility>

#include <dlfcn.h>

namespace millrace::gpu {
namespace {

// What we use of nvml.h, whose layout is the library's promise: names with a version at their end do
// not change.
using Device = void*;
using EventSet = void*;

enum Return : int { kSuccess = 0, kNotSupported = 3, kNotFound = 6, kDriverNotLoaded = 9 };

struct Utilization {
    unsigned gpu = 0;  // percent
    unsigned memory = 0;
};
struct Memory {
    unsigned long long total = 0;  // bytes
    unsigned long long free = 0;
    unsigned long long used = 0;
};
struct EventData {
    Device device = nullptr;
    unsigned long long type = 0;
    unsigned long long data = 0;  // of an Xid: its number
    unsigned gpu_instance = 0;
    unsigned compute_instance = 0;
};

constexpr unsigned long long kXidEvent = 8;
constexpr int kCoreSensor = 0;
constexpr std::size_t kTextMax = 96;  // NVML's own names are at most this long
constexpr int kEventsPerRead = 64;

struct Reason {
    unsigned long long bit;
    const char* name;
};
// Idle (1) and clocks that an operator has set (2) are not throttling.
constexpr std::array kReasons{Reason{0x04, "power"}, Reason{0x08, "hardware"},
                              Reason{0x20, "thermal"}, Reason{0x40, "thermal"},
                              Reason{0x80, "power brake"}};

// A function of the library; absent in old drivers.
template <class... Arguments>
class Call {
public:
    void find(void* library, const char* name) {
        function_ = reinterpret_cast<Function>(dlsym(library, name));
    }
    int operator()(Arguments... arguments) const {
        return function_ == nullptr ? kNotSupported : function_(arguments...);
    }
    explicit operator bool() const { return function_ != nullptr; }

private:
    using Function = int (*)(Arguments...);
    Function function_ = nullptr;
};

struct CloseLibrary {
    void operator()(void* library) const { dlclose(library); }
};

std::optional<double> share(int rc, unsigned percent) {
    return rc == kSuccess ? std::optional(std::min(percent, 100U) / 100.0) : std::nullopt;
}

}  // namespace

class Nvml::Impl {
public:
    explicit Impl(std::unique_ptr<void, CloseLibrary> library) : library_(std::move(library)) {
        init_.find(library_.get(), "nvmlInit_v2");
        shutdown_.find(library_.get(), "nvmlShutdown");
        driver_version_.find(library_.get(), "nvmlSystemGetDriverVersion");
        count_.find(library_.get(), "nvmlDeviceGetCount_v2");
        handle_.find(library_.get(), "nvmlDeviceGetHandleByIndex_v2");
        name_.find(library_.get(), "nvmlDeviceGetName");
        uuid_.find(library_.get(), "nvmlDeviceGetUUID");
        utilization_.find(library_.get(), "nvmlDeviceGetUtilizationRates");
        encoder_.find(library_.get(), "nvmlDeviceGetEncoderUtilization");
        decoder_.find(library_.get(), "nvmlDeviceGetDecoderUtilization");
        memory_.find(library_.get(), "nvmlDeviceGetMemoryInfo");
        temperature_.find(library_.get(), "nvmlDeviceGetTemperature");
        power_.find(library_.get(), "nvmlDeviceGetPowerUsage");
        encoder_stats_.find(library_.get(), "nvmlDeviceGetEncoderStats");
        throttle_.find(library_.get(), "nvmlDeviceGetCurrentClocksThrottleReasons");
        make_events_.find(library_.get(), "nvmlEventSetCreate");
        free_events_.find(library_.get(), "nvmlEventSetFree");
        register_.find(library_.get(), "nvmlDeviceRegisterEvents");
        next_event_.find(library_.get(), "nvmlEventSetWait_v2");
    }

    ~Impl() {
        if (events_ != nullptr)
            free_events_(events_);
        if (running_)
            shutdown_();
    }
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    Result<void> start() {
        if (!init_ || !count_ || !handle_)
            return error(ErrorKind::unsupported, "the driver's library is too old");
        const int rc = init_();
        if (rc == kDriverNotLoaded)
            return error(ErrorKind::unsupported, "NVIDIA's driver is installed, but not loaded");
        if (rc != kSuccess)
            return failure("nvmlInit", rc);
        running_ = true;
        std::array<char, kTextMax> text{};
        if (driver_version_(text.data(), kTextMax) == kSuccess)
            driver_ = text.data();
        return find_gpus();
    }

    std::vector<Reading> read() {
        take_events();
        std::vector<Reading> readings;
        for (Gpu& gpu : gpus_) {
            measure(gpu);
            readings.push_back(gpu.reading);
        }
        return readings;
    }

    [[nodiscard]] const std::string& driver() const { return driver_; }

private:
    struct Gpu {
        Device device = nullptr;
        Reading reading;
    };

    static Error failure(const char* operation, int rc) {
        return error(ErrorKind::device,
                     std::string(operation) + ": NVML error " + std::to_string(rc));
    }

    Result<void> find_gpus() {
        unsigned count = 0;
        if (const int rc = count_(&count); rc != kSuccess && rc != kNotFound)
            return failure("nvmlDeviceGetCount", rc);
        if (count == 0)
            return error(ErrorKind::unsupported, "the driver sees no GPU");
        make_events_(&events_);
        for (unsigned index = 0; index < std::min(count, kGpusMax); ++index) {
            Gpu gpu;
            gpu.reading.index = index;
            // One that fell off the bus keeps its number, and says nothing.
            if (handle_(index, &gpu.device) == kSuccess)
                identify(gpu);
            else
                gpu.device = nullptr;
            gpus_.push_back(std::move(gpu));
        }
        return {};
    }

    void identify(Gpu& gpu) const {
        std::array<char, kTextMax> text{};
        if (name_(gpu.device, text.data(), kTextMax) == kSuccess)
            gpu.reading.name = text.data();
        if (uuid_(gpu.device, text.data(), kTextMax) == kSuccess)
            gpu.reading.uuid = text.data();
        if (events_ != nullptr)
            register_(gpu.device, kXidEvent, events_);
    }

    void measure(Gpu& gpu) const {
        if (gpu.device == nullptr)
            return;
        Reading& out = gpu.reading;
        Utilization busy;
        int rc = utilization_(gpu.device, &busy);
        out.sm = share(rc, busy.gpu);
        out.memory = share(rc, busy.memory);
        unsigned value = 0;
        unsigned period = 0;
        rc = encoder_(gpu.device, &value, &period);
        out.encoder = share(rc, value);
        rc = decoder_(gpu.device, &value, &period);
        out.decoder = share(rc, value);
        Memory memory;
        rc = memory_(gpu.device, &memory);
        out.memory_used = rc == kSuccess ? std::optional<std::uint64_t>(memory.used) : std::nullopt;
        out.memory_total =
            rc == kSuccess ? std::optional<std::uint64_t>(memory.total) : std::nullopt;
        rc = temperature_(gpu.device, kCoreSensor, &value);
        out.celsius = rc == kSuccess ? std::optional<double>(value) : std::nullopt;
        rc = power_(gpu.device, &value);
        out.watts = rc == kSuccess ? std::optional<double>(value / 1000.0) : std::nullopt;
        unsigned fps = 0;
        unsigned latency = 0;
        rc = encoder_stats_(gpu.device, &value, &fps, &latency);
        out.encoder_sessions = rc == kSuccess ? std::optional<std::uint32_t>(value) : std::nullopt;
        out.throttled = throttled(gpu.device);
    }

    [[nodiscard]] std::vector<std::string> throttled(Device device) const {
        unsigned long long bits = 0;
        std::vector<std::string> names;
        if (throttle_(device, &bits) != kSuccess)
            return names;
        for (const Reason& reason : kReasons)
            if ((bits & reason.bit) != 0 && std::ranges::find(names, reason.name) == names.end())
                names.emplace_back(reason.name);
        return names;
    }

    void take_events() {
        if (events_ == nullptr)
            return;
        EventData event;
        constexpr unsigned kDoNotWait = 0;  // ms
        for (int n = 0; n < kEventsPerRead && next_event_(events_, &event, kDoNotWait) == kSuccess;
             ++n)
            for (Gpu& gpu : gpus_)
                if (gpu.device == event.device && event.type == kXidEvent)
                    gpu.reading.xid = event.data;
    }

    std::unique_ptr<void, CloseLibrary> library_;
    Call<> init_;
    Call<> shutdown_;
    Call<char*, unsigned> driver_version_;
    Call<unsigned*> count_;
    Call<unsigned, Device*> handle_;
    Call<Device, char*, unsigned> name_;
    Call<Device, char*, unsigned> uuid_;
    Call<Device, Utilization*> utilization_;
    Call<Device, unsigned*, unsigned*> encoder_;
    Call<Device, unsigned*, unsigned*> decoder_;
    Call<Device, Memory*> memory_;
    Call<Device, int, unsigned*> temperature_;
    Call<Device, unsigned*> power_;
    Call<Device, unsigned*, unsigned*, unsigned*> encoder_stats_;
    Call<Device, unsigned long long*> throttle_;
    Call<EventSet*> make_events_;
    Call<EventSet> free_events_;
    Call<Device, unsigned long long, EventSet> register_;
    Call<EventSet, EventData*, unsigned> next_event_;
    bool running_ = false;
    std::string driver_;
    EventSet events_ = nullptr;
    std::vector<Gpu> gpus_;
};

Result<std::unique_ptr<Nvml>> Nvml::open(const std::string& library) {
    std::unique_ptr<void, CloseLibrary> opened(dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL));
    if (!opened)
        return error(ErrorKind::unsupported,
                     "NVIDIA's driver is not installed (" + std::string(dlerror()) + ")");
    auto impl = std::make_unique<Impl>(std::move(opened));
    MR_TRY(impl->start());
    return std::unique_ptr<Nvml>(new Nvml(std::move(impl)));
}

Nvml::Nvml(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Nvml::~Nvml() = default;

const std::string& Nvml::driver() const {
    return impl_->driver();
}

std::vector<Reading> Nvml::read() {
    return impl_->read();
}

}  // namespace millrace::gpu
