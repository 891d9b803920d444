#include "transcoder/engine/engine_main.h"

#include <chrono>
#include <cstdlib>
#include <string_view>
#include <thread>

#include <sys/socket.h>
#include <unistd.h>

#include "common/runtime/sha256.h"
#include "transcoder/engine/fault.h"
#include "transcoder/engine/framing.h"
#include "transcoder/engine/held_memory.h"
#include "transcoder/engine/job_slot.h"
#include "transcoder/engine/last_words.h"
#include "transcoder/engine/socket_source.h"
#include "transcoder/engine/walls.h"

namespace millrace::engine {
namespace {

constexpr auto kProgressEvery = std::chrono::milliseconds(100);  // well inside the promised 250 ms

// The engine's side of the socket, blocking: there is nothing to do until the other side reads.
class Channel {
public:
    explicit Channel(int socket) : socket_(socket) {}

    // False when the transcoder has gone.
    [[nodiscard]] bool receive_head(FrameHead& head) {
        FrameHeadBytes bytes{};
        if (!receive(bytes))
            return false;
        const auto unpacked = unpack(bytes);
        if (!unpacked)
            _exit(kExitBroken);
        head = *unpacked;
        return true;
    }
    [[nodiscard]] bool receive(std::span<std::uint8_t> out) {
        while (!out.empty()) {
            const ssize_t count = recv(socket_, out.data(), out.size(), 0);
            if (count < 0 && errno == EINTR)
                continue;
            if (count <= 0)
                return false;
            out = out.subspan(static_cast<std::size_t>(count));
        }
        return true;
    }

    void send(const FromEngine& message) {
        const std::vector<std::uint8_t> bytes = encode(message);
        send_frame({FrameType::message, static_cast<std::uint32_t>(bytes.size()), 0}, bytes);
    }
    void send_bytes(std::span<const std::uint8_t> bytes) {
        while (!bytes.empty()) {
            const auto part = bytes.first(std::min(bytes.size(), kBodyBytesMax));
            send_frame({FrameType::bytes, 0, static_cast<std::uint32_t>(part.size())}, part);
            bytes = bytes.subspan(part.size());
        }
    }

private:
    void send_frame(const FrameHead& head, std::span<const std::uint8_t> content) {
        send_all(pack(head), MSG_MORE);
        send_all(content, 0);
    }
    // Nobody left to work for: no use in unwinding.
    void send_all(std::span<const std::uint8_t> bytes, int flags) const {
        while (!bytes.empty()) {
            const ssize_t count = ::send(socket_, bytes.data(), bytes.size(), flags | MSG_NOSIGNAL);
            if (count < 0 && errno == EINTR)
                continue;
            if (count <= 0)
                _exit(kExitClosed);
            bytes = bytes.subspan(static_cast<std::size_t>(count));
        }
    }

    int socket_;
};

// A task between the thread that reads the socket and the one that works.
struct Job {
    EngineTask task;
    std::shared_ptr<SocketSource> source;
    media::CancelToken cancel;
};

using Jobs = JobSlot<Job>;

// Reads the socket for as long as it is open, so that a cancel is heard while work goes on.
class Listener {
public:
    Listener(Channel& channel, Jobs& jobs) : channel_(channel), jobs_(jobs) {}

    void run() {
        FrameHead head;
        while (channel_.receive_head(head)) {
            std::vector<std::uint8_t> content(head.message_bytes + head.body_bytes);
            if (!channel_.receive(content))
                break;
            if (head.type == FrameType::bytes)
                on_bytes(std::move(content));
            else
                on_message(content);
        }
        stop_current();
        jobs_.close();
    }

private:
    void on_bytes(std::vector<std::uint8_t> bytes) {
        if (current_.source)
            current_.source->fill(std::move(bytes));
    }
    void on_message(const std::vector<std::uint8_t>& bytes) {
        auto message = decode_to_engine(bytes);
        if (!message)
            _exit(kExitBroken);
        if (auto* task = std::get_if<EngineTask>(&*message)) {
            auto source = std::make_shared<SocketSource>(task->limits.body_bytes);
            current_ = {std::move(*task), std::move(source), {}};
            jobs_.put(current_);
        } else if (std::holds_alternative<EngineInputEnd>(*message)) {
            if (current_.source)
                current_.source->finish();
        } else if (std::holds_alternative<EngineGiveBackMemory>(*message)) {
            jobs_.give_back();
        } else {
            stop_current();
        }
    }
    void stop_current() {
        current_.cancel.cancel();
        if (current_.source)
            current_.source->stop();
    }

    Channel& channel_;
    Jobs& jobs_;
    Job current_;
};

class Reporter final : public media::TranscodeObserver {
public:
    Reporter(Channel& channel, const EngineTask& task)
        : channel_(channel), seq_(task.seq), wants_stages_(!task.gpu.empty()) {}

    void probed(const SourceInfo& source) override { channel_.send(EngineProbed{source}); }
    void progress(const media::Progress& progress) override {
        const auto now = std::chrono::steady_clock::now();
        const bool first_picture = progress.frames > 0 && !pictures_seen_;
        if (now - told_at_ < kProgressEvery && !first_picture)
            return;
        told_at_ = now;
        pictures_seen_ = progress.frames > 0;
        channel_.send(EngineProgress{progress.media_done, progress.frames});
        if (progress.frames > 0)
            planted_fault(seq_);
    }
    void stages_used(const StagesUsed& used) override {
        if (wants_stages_)
            channel_.send(used);
    }
    void rendition_done(RenditionReport report, std::vector<std::uint8_t> bytes) override {
        planted_fault(seq_);  // also for segments too short to show progress
        report.sha256 = sha256_of(bytes);
        channel_.send(EngineRendition{report});
        channel_.send_bytes(bytes);
        done_.push_back(std::move(report));
    }

    // The pipeline's report, with what was found out about the bytes since.
    [[nodiscard]] TranscodeReport complete(TranscodeReport report) const {
        for (RenditionReport& rendition : report.renditions)
            for (const RenditionReport& done : done_)
                if (done.index == rendition.index)
                    rendition = done;
        return report;
    }

private:
    Channel& channel_;
    std::uint64_t seq_;
    bool wants_stages_;
    std::chrono::steady_clock::time_point told_at_{};
    bool pictures_seen_ = false;
    std::vector<RenditionReport> done_;
};

// A source that is still being uploaded comes at the pace of the stream: what counts is how long the engine would
// have worked on it. Waiting that went on beside work is no waiting.
void leave_out_waiting(StageTimes& times, Duration starved) {
    const std::int64_t waited =
        std::chrono::duration_cast<std::chrono::microseconds>(starved).count();
    const std::int64_t worked = times.decode_us + times.scale_us + times.encode_us;
    times.total_us = std::max(times.total_us - waited, std::min(times.total_us, worked));
}

// Null: the CPU's stages do everything.
std::shared_ptr<media::Gpu> gpu_for(const EngineTask& task, const media::Gpu* gpu) {
    if (gpu == nullptr || task.gpu.empty())
        return nullptr;
    media::GpuStages stages;
    for (const GpuAbility& ability : task.gpu)
        stages.push_back(
            {media::stage_kind(ability.kind), ability.name, ability.works, ability.reason});
    return media::with_stages(*gpu, std::move(stages));
}

void work_on(const Job& job, const media::Gpu* gpu, Channel& channel, Jobs& jobs, int socket) {
    channel.send(EngineProgress{});
    Reporter reporter(channel, job.task);
    const media::TranscodeRequest request{job.task.ladder,
                                          job.task.seq,
                                          job.task.seam,
                                          job.task.limits,
                                          static_cast<int>(job.task.threads),
                                          job.task.allow_audio_only,
                                          gpu_for(job.task, gpu)};
    auto report = media::transcode(*job.source, request, reporter, job.cancel);
    if (!report && report.error().kind == ErrorKind::overloaded)
        end_with(kExitOutOfMemory, words_of(socket), 0);  // what is left of the heap is no use
    if (held_bytes() > kHeldBytesMax)
        channel.send(EngineSpent{});
    if (!report) {
        jobs.ended();
        return channel.send(EngineFailed{report.error().kind, report.error().message});
    }
    // A container may end before its file does: what is behind it has to be here, too, before anybody may say
    // that the source was whole.
    job.source->await_end(job.cancel);
    leave_out_waiting(report->times, job.source->starved());
    jobs.ended();
    channel.send(EngineFinished{reporter.complete(std::move(*report))});
}

}  // namespace

void engine_main(int socket, bool with_gpu) {
    std::shared_ptr<media::Gpu> gpu;
    const auto open_gpu = [&gpu] {
        auto opened = media::open_gpu({});
        if (!opened)
            return false;
        gpu = *std::move(opened);
        media::warm_up(*gpu);
        return true;
    };
    const Driver driver{open_gpu, with_gpu ? nvidia_device_files() : std::vector<std::string>()};
    const EngineWalls walls = raise_walls(socket, with_gpu ? &driver : nullptr);
    keep_freed_memory();
    Channel channel(socket);
    Jobs jobs;
    Listener listener(channel, jobs);
    std::jthread reading([&] { listener.run(); });
    channel.send(EngineReady{walls});
    while (const auto job = jobs.take(&release_freed_memory)) {
        work_on(*job, gpu.get(), channel, jobs, socket);
        forget_unused_memory();
    }
    _exit(kExitClosed);
}

void engine_main(int argc, char** argv) {
    constexpr int kSocketAt = 2;
    constexpr int kGpuAt = 3;
    engine_main(argc > kSocketAt ? std::atoi(argv[kSocketAt]) : kEngineSocket,
                argc > kGpuAt && std::string_view(argv[kGpuAt]) == kGpuArgument);
}

}  // namespace millrace::engine
