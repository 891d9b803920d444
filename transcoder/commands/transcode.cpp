#include "transcoder/commands/transcode.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>

#include <nlohmann/json.hpp>
#include <unistd.h>

#include "common/config/exit_code.h"
#include "common/runtime/sha256.h"
#include "transcoder/commands/report_json.h"
#include "transcoder/gpu/gpu_stock.h"
#include "transcoder/media/transcode.h"

namespace millrace::transcoder {
namespace {

constexpr int kBarCells = 24;

// A segment's file, read as the pipeline asks for it.
class FileSource final : public media::ByteSource {
public:
    explicit FileSource(const std::string& path) : file_(path, std::ios::binary) {}
    [[nodiscard]] bool good() const { return file_.good(); }

    std::size_t read(std::span<std::uint8_t> out) override {
        file_.read(reinterpret_cast<char*>(out.data()), static_cast<std::streamsize>(out.size()));
        return static_cast<std::size_t>(file_.gcount());
    }

private:
    std::ifstream file_;
};

// Writes renditions as they are finished and shows how far the segment is.
class Writer final : public media::TranscodeObserver {
public:
    Writer(const TranscodeOptions& options, std::size_t number)
        : options_(options), number_(number), bar_(!options.json && isatty(STDERR_FILENO) != 0) {}
    ~Writer() override {
        if (bar_)
            std::fputs("\r\033[K", stderr);
    }
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    void probed(const SourceInfo& source) override { duration_ = source.duration; }

    void progress(const media::Progress& now) override {
        if (!bar_ || duration_ <= Duration{0})
            return;
        const int cells = static_cast<int>(std::min<std::int64_t>(
            kBarCells, now.media_done.count() * kBarCells / duration_.count()));
        if (cells == std::exchange(shown_, cells))
            return;
        const std::string full(static_cast<std::size_t>(cells), '#');
        std::fprintf(stderr, "\rsegment %zu of %zu [%-*s] %5.1f s", number_ + 1,
                     options_.inputs.size(), kBarCells, full.c_str(), to_seconds(now.media_done));
        std::fflush(stderr);
    }

    void rendition_done(RenditionReport report, std::vector<std::uint8_t> bytes) override {
        namespace fs = std::filesystem;
        const fs::path directory = fs::path(options_.out_dir) / report.name;
        std::error_code ignored;
        fs::create_directories(directory, ignored);
        const fs::path path =
            directory / (std::to_string(number_) + "." + std::string(extension(report.container)));
        std::ofstream file(path, std::ios::binary);
        file.write(reinterpret_cast<const char*>(bytes.data()),
                   static_cast<std::streamsize>(bytes.size()));
        if (!file.flush())
            cannot_write_ = path.string();
        hashes_.emplace_back(report.index, sha256_of(bytes));
    }

    void stages_used(const StagesUsed& used) override { used_ = used; }
    // None: no GPU, or no pictures.
    [[nodiscard]] const std::optional<StagesUsed>& used() const { return used_; }

    [[nodiscard]] const std::optional<std::string>& cannot_write() const { return cannot_write_; }
    void complete(TranscodeReport& report) const {
        for (RenditionReport& rendition : report.renditions)
            for (const auto& [index, hash] : hashes_)
                if (index == rendition.index)
                    rendition.sha256 = hash;
    }

private:
    const TranscodeOptions& options_;
    std::size_t number_;
    bool bar_;
    int shown_ = -1;
    Duration duration_{0};
    std::optional<std::string> cannot_write_;
    std::optional<StagesUsed> used_;
    std::vector<std::pair<std::uint32_t, Sha256>> hashes_;
};

void print_table(const std::string& input, const TranscodeReport& report) {
    const SourceInfo& source = report.source;
    const double seconds = to_seconds(source.duration);
    const double worked = static_cast<double>(report.times.total_us) / 1e6;
    std::printf("%s: %dx%d, %lld frames, %.3f s, done in %.3f s (%.1fx real time)\n", input.c_str(),
                source.size.width, source.size.height, static_cast<long long>(source.frames),
                seconds, worked, worked > 0 ? seconds / worked : 0.0);
    for (const RenditionReport& r : report.renditions)
        std::printf("  %-24s %5dx%-5d %6lld frames %10llu bytes  %s\n", r.name.c_str(),
                    r.size.width, r.size.height, static_cast<long long>(r.frames),
                    static_cast<unsigned long long>(r.bytes), r.codecs.c_str());
    for (const SkippedRendition& skipped : report.skipped)
        std::printf("  %-24s left out: %s\n", skipped.name.c_str(), skipped.reason.c_str());
    for (const std::string& warning : report.warnings)
        std::printf("  warning: %s\n", warning.c_str());
}

void print_stages(const StagesUsed& used) {
    if (used.decoded == DecodedBy::gpu)
        std::printf(
            "  decoded on the GPU, %lld pictures scaled there, %lld copies fetched from it\n",
            static_cast<long long>(used.scaled), static_cast<long long>(used.downloads));
    else
        std::printf("  decoded on the CPU: %s\n", used.decode_reason.c_str());
    if (!used.scale_reason.empty())
        std::printf("  scaled on the CPU: %s\n", used.scale_reason.c_str());
    if (const auto count = std::ranges::count(used.encoded, EncodedBy::gpu); count > 0)
        std::printf("  %lld renditions encoded on the GPU\n", static_cast<long long>(count));
    if (!used.encode_reason.empty())
        std::printf("  encoded on the CPU: %s\n", used.encode_reason.c_str());
}

nlohmann::json stages_json(const StagesUsed& used) {
    nlohmann::json encoded = nlohmann::json::array();
    for (const EncodedBy by : used.encoded)
        encoded.push_back(to_string(by));
    return {{"decode", used.decoded == DecodedBy::gpu ? "gpu" : "cpu"},
            {"reason", used.decode_reason},
            {"scaled", used.scaled},
            {"scale_reason", used.scale_reason},
            {"encoded", encoded},
            {"encode_reason", used.encode_reason},
            {"downloads", used.downloads},
            {"uploads", used.uploads}};
}

int exit_code_for(ErrorKind kind) {
    switch (kind) {
        case ErrorKind::bad_input:
            return config::kExitBadInput;
        case ErrorKind::unsupported:
            return config::kExitUsage;
        default:
            return config::kExitDevice;
    }
}

// One input; its result goes to `results` or to the terminal. `seam`: what the one before left, and
// then what this one leaves.
int run_one(const TranscodeOptions& options, const std::shared_ptr<media::Gpu>& gpu,
            std::size_t number, SeamContext& seam, nlohmann::json& results) {
    const std::string& input = options.inputs[number];
    FileSource source(input);
    if (!source.good()) {
        std::fprintf(stderr, "transcoder: cannot read %s\n", input.c_str());
        return config::kExitBadInput;
    }
    media::TranscodeRequest request{.ladder = options.ladder,
                                    .seq = number,
                                    .seam = std::exchange(seam, {}),
                                    .limits = options.limits,
                                    .threads = options.threads,
                                    .allow_audio_only = number > 0,
                                    .gpu = gpu};
    Result<TranscodeReport> report = error(ErrorKind::internal, "not run");
    std::optional<std::string> cannot_write;
    std::optional<StagesUsed> used;
    {
        Writer writer(options, number);
        report = media::transcode(source, request, writer, {});
        cannot_write = writer.cannot_write();
        used = writer.used();
        if (report)
            writer.complete(*report);
    }
    if (cannot_write) {
        std::fprintf(stderr, "transcoder: cannot write %s\n", cannot_write->c_str());
        return config::kExitUsage;
    }
    if (!report) {
        const Error& problem = report.error();
        if (options.json)
            results.push_back(
                {{"input", input},
                 {"error", {{"kind", to_string(problem.kind)}, {"detail", problem.message}}}});
        std::fprintf(stderr, "transcoder: %s: %s\n", input.c_str(), problem.message.c_str());
        return exit_code_for(problem.kind);
    }
    seam = report->seam;
    if (!options.json) {
        print_table(input, *report);
        if (used)
            print_stages(*used);
        return config::kExitDone;
    }
    nlohmann::json result = to_json(*report);
    if (used)
        result["stages"] = stages_json(*used);
    result["input"] = input;
    results.push_back(std::move(result));
    return config::kExitDone;
}

// Tried in a process of its own first. This one then sees that GPU alone.
Result<std::shared_ptr<media::Gpu>> take_gpu(const config::GpuSelection& gpus) {
    if (gpus.none())
        return std::shared_ptr<media::Gpu>();
    auto stock = gpu::take_stock(gpus);
    if (!stock)
        return stock.error();
    const gpu::GpuRecord& record = stock->front();
    setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID", 1);
    setenv("CUDA_VISIBLE_DEVICES", record.gpu.uuid.c_str(), 1);
    return media::open_gpu(record.trial.stages);
}

}  // namespace

int run_transcode(const TranscodeOptions& options) {
    const auto gpu = take_gpu(options.gpus);
    if (!gpu) {
        std::fprintf(stderr, "transcoder: --nvidia %s: %s\n", options.gpus.text().c_str(),
                     gpu.error().message.c_str());
        return config::kExitDevice;
    }
    std::error_code problem;
    std::filesystem::create_directories(options.out_dir, problem);
    if (problem) {
        std::fprintf(stderr, "transcoder: --out-dir %s: %s\n", options.out_dir.c_str(),
                     problem.message().c_str());
        return config::kExitConfig;
    }
    nlohmann::json results = nlohmann::json::array();
    SeamContext seam;
    int code = config::kExitDone;
    for (std::size_t number = 0; number < options.inputs.size(); ++number) {
        const int one = run_one(options, *gpu, number, seam, results);
        code = code == config::kExitDone ? one : code;
    }
    if (options.json)
        std::printf("%s\n",
                    results.dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
    return code;
}

}  // namespace millrace::transcoder
