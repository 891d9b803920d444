// What does a segment cost in an engine, beside the ffmpeg command line started for each segment?
//
//   bench_pipeline [--media DIR] [--engine FILE] [--segments N] [--repetitions N] [--presets A,B]
//                  [--parts one,lone,four,psnr]
//
// Real 1080p clips cut to segments of about 2 s; ladder 720p, 360p, 240p, each scaled from the decoded picture,
// H.264 with CRF 23 under a ceiling, audio copied. Both sides have the same settings and libraries. All
// repetitions are interleaved: for each segment and preset
//   one     one thread per codec on both sides: CPU, memory
//   lone    nothing else to do: ffmpeg with its own choice of threads, ours as on a machine with one session: wall
//   four    four sessions at once, one thread per codec on both sides: wall until the last is done
// The engine is the process that the transcoder runs, kept from segment to segment; its wall time ends when the
// last rendition is here. Memory is the largest resident set of the whole process, ffmpeg's over its one segment,
// ours over all it had until then. PSNR is against the source scaled by ffmpeg. Exit 1 when a median misses its demand.

#include "benchmarks/pipeline.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <map>
#include <numeric>
#include <thread>

#include "transcoder/engine/engine_main.h"

using namespace millrace;
using namespace millrace::bench;
namespace fs = std::filesystem;

namespace {

struct Size3 {
    const char* name;
    int width, height;
    int ceiling;  // bit/s
};
constexpr Size3 kLadder[] = {
    {"720p", 1280, 720, 3'000'000}, {"360p", 640, 360, 1'000'000}, {"240p", 426, 240, 500'000}};
constexpr int kQuality = 23;
constexpr std::size_t kAtOnce = 4;
// CPU, share inside calls, wall, wall of four, memory; by preset, see README.md.
constexpr double kInsideMin = 0.95;
constexpr double kLoneMax = 1.0;
constexpr double kFourMax = 1.0;
constexpr double kMemoryMax = 0.65;
double cpu_max(const std::string& preset) {
    return preset == "veryfast" ? 0.92 : 0.97;
}

struct Options {
    std::string media = MILLRACE_SHARED_MEDIA;
    std::string engine = fs::read_symlink("/proc/self/exe").parent_path() / "transcoder";
    std::size_t segments = 4;  // of each clip
    int repetitions = 3;
    std::vector<std::string> presets = {"veryfast", "medium"};
    std::vector<std::string> parts = {"one", "lone", "four", "psnr"};

    [[nodiscard]] bool has(const char* part) const {
        return std::find(parts.begin(), parts.end(), part) != parts.end();
    }
};

std::vector<std::string> words_of(const std::string& value) {
    std::vector<std::string> words;
    for (std::size_t at = 0; at <= value.size();) {
        const std::size_t comma = std::min(value.find(',', at), value.size());
        words.push_back(value.substr(at, comma - at));
        at = comma + 1;
    }
    return words;
}

bool parse(int argc, char** argv, Options& options) {
    if (argc % 2 == 0)
        return false;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string name = argv[i], value = argv[i + 1];
        const auto number = [&](auto& out) {
            const auto [end, problem] =
                std::from_chars(value.data(), value.data() + value.size(), out);
            return problem == std::errc{} && end == value.data() + value.size() && out > 0;
        };
        bool good = true;
        if (name == "--media")
            options.media = value;
        else if (name == "--engine")
            options.engine = value;
        else if (name == "--segments")
            good = number(options.segments);
        else if (name == "--repetitions")
            good = number(options.repetitions);
        else if (name == "--presets")
            options.presets = words_of(value);
        else if (name == "--parts")
            options.parts = words_of(value);
        else
            good = false;
        if (!good)
            return false;
    }
    return true;
}

struct Segment {
    std::string name;
    std::string path;
    std::vector<std::uint8_t> bytes;
};

void run(const std::vector<std::string>& words) {
    Cost ignored;
    if (!Process(words).wait(ignored))
        give_up("failed: " + words[0] + " … " + words.back());
}

std::string joined(const std::string& into, const std::vector<std::string>& parts) {
    std::ofstream out(into, std::ios::binary);
    for (const std::string& part : parts) {
        std::ifstream in(part, std::ios::binary);
        if (!in)
            give_up("cannot read " + part);
        out << in.rdbuf();
    }
    return into;
}

// The clips as a broadcaster would push them: MPEG-TS of about 2 s.
std::vector<Segment> prepare(const Options& options, const std::string& directory) {
    std::vector<Segment> all;
    const auto add = [&](const std::string& name, const std::string& path) {
        all.push_back({name, path, read_file(path)});
    };
    const std::string media = options.media + "/";
    // The first segment is 3.8 s long.
    for (std::size_t n = 1; n <= std::min<std::size_t>(options.segments, 12); ++n) {
        char file[64];
        std::snprintf(file, sizeof file, "bbb_1080p25_hls/seg_%03zu.ts", n);
        add("bbb " + std::to_string(n), media + file);
    }
    for (std::size_t n = 1; n <= std::min<std::size_t>(options.segments, 4); ++n) {
        const std::string part = media + "tos_1080p2997_cmaf/";
        const std::string number = std::to_string(n);
        const std::string out = directory + "/tos" + number + ".ts";
        run({"ffmpeg", "-v", "error", "-y", "-i",
             joined(directory + "/v.mp4", {part + "v_init.mp4", part + "v_" + number + ".m4s"}),
             "-i",
             joined(directory + "/a.mp4", {part + "a_init.mp4", part + "a_" + number + ".m4s"}),
             "-c", "copy", "-shortest", out});
        add("tos " + number, out);
    }
    const std::string out = directory + "/bbb60.ts";
    run({"ffmpeg", "-v", "error", "-y", "-i", media + "bbb_1080p60_2s.mp4", "-c", "copy", out});
    add("bbb 60 fps", out);
    return all;
}

EngineTask task_for(const std::string& preset, unsigned threads) {
    EngineTask task;
    for (const Size3& size : kLadder) {
        RenditionSpec spec;
        spec.name = size.name;
        spec.width = size.width;
        spec.height = size.height;
        spec.bitrate = size.ceiling;
        spec.quality = kQuality;
        spec.preset = preset;
        task.ladder.push_back(spec);
    }
    task.threads = threads;
    return task;
}

// What encoder_options.cpp says to libx264, said by the command line. `threads` empty: ffmpeg's choice.
std::vector<std::string> ffmpeg_for(const Segment& segment, const std::string& preset,
                                    const std::string& threads, const std::string& out) {
    std::vector<std::string> words{"ffmpeg", "-v", "error", "-y", "-nostdin"};
    const auto add = [&](std::initializer_list<std::string> more) {
        words.insert(words.end(), more);
    };
    if (!threads.empty())
        add({"-filter_complex_threads", threads, "-threads", threads});
    std::string graph = "[0:v]split=3[s0][s1][s2]";
    for (int n = 0; n < 3; ++n)
        graph += ";[s" + std::to_string(n) + "]scale=" + std::to_string(kLadder[n].width) + ":" +
                 std::to_string(kLadder[n].height) + ":flags=bicubic,setsar=1[v" +
                 std::to_string(n) + "]";
    add({"-i", segment.path, "-filter_complex", graph});
    for (int n = 0; n < 3; ++n) {
        add({"-map",
             "[v" + std::to_string(n) + "]",
             "-map",
             "0:a?",
             "-c:a",
             "copy",
             "-fps_mode",
             "passthrough",
             "-c:v",
             "libx264",
             "-preset",
             preset,
             "-crf",
             std::to_string(kQuality),
             "-maxrate",
             std::to_string(kLadder[n].ceiling),
             "-bufsize",
             std::to_string(2 * kLadder[n].ceiling),
             "-g",
             "1000000",
             "-keyint_min",
             "500000",
             "-forced-idr",
             "1",
             "-force_key_frames",
             "expr:gte(t,n_forced*2)",
             "-aud",
             "1",
             "-x264-params",
             "stitchable=1"});
        if (!threads.empty())
            add({"-threads", threads});
        add({out + kLadder[n].name + ".ts"});
    }
    return words;
}

Cost ffmpeg(Loop& loop, const std::vector<std::vector<std::string>>& commands) {
    Cost cost;
    const TimePoint begun = loop.now();
    std::vector<Process> running;
    for (const auto& words : commands)
        running.emplace_back(words);
    for (Process& process : running)
        if (!process.wait(cost))
            give_up("ffmpeg failed");
    cost.wall_s = to_seconds(loop.now() - begun);
    return cost;
}

Cost engines(Loop& loop, const std::vector<std::unique_ptr<Engine>>& all, std::size_t count,
             const EngineTask& task, const Segment& segment) {
    timespec before{}, after{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    const TimePoint begun = loop.now();
    for (std::size_t n = 0; n < count; ++n)
        all[n]->begin(task, segment.bytes);
    const auto idle = [&] {
        return std::none_of(all.begin(), all.end(), [](const auto& one) { return one->busy(); });
    };
    if (!loop.run_until(idle, loop.now() + std::chrono::minutes(5)))
        give_up("an engine did not end");
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    Cost sum;
    sum.wall_s = to_seconds(loop.now() - begun);
    // Feeding and taking back is paid for by the transcoder.
    sum.cpu_s = static_cast<double>(after.tv_sec - before.tv_sec) +
                static_cast<double>(after.tv_nsec - before.tv_nsec) / 1e9;
    for (std::size_t n = 0; n < count; ++n) {
        const Cost& one = all[n]->cost();
        sum.cpu_s += one.cpu_s;
        sum.engine_s += one.engine_s;
        sum.inside_s += one.inside_s;
        sum.peak_mib = std::max(sum.peak_mib, one.peak_mib);
        sum.own_mib = std::max(sum.own_mib, one.own_mib);
    }
    return sum;
}

// dB, all planes, against the source scaled by ffmpeg.
double psnr(const std::string& made, const Segment& segment, const Size3& size,
            const std::string& directory) {
    const std::string log = directory + "/psnr";
    const std::string scale = std::to_string(size.width) + ":" + std::to_string(size.height);
    run({"ffmpeg", "-v", "error", "-y", "-nostdin", "-i", made, "-i", segment.path, "-lavfi",
         "[1:v]scale=" + scale +
             ":flags=bicubic,setsar=1,settb=AVTB,setpts=N/25/TB[r];[0:v]settb=AVTB,setpts=N/25/"
             "TB[m];[m][r]psnr=stats_file=" +
             log,
         "-f", "null", "-"});
    std::ifstream lines(log);
    double mse = 0;
    int count = 0;
    for (std::string line; std::getline(lines, line); ++count)
        mse += std::stod(line.substr(line.find("mse_avg:") + 8));
    return count == 0 ? 0 : 10 * std::log10(255.0 * 255.0 * count / std::max(mse, 1e-9));
}

struct Sums {
    std::vector<double> cpu, cpu_ffmpeg, cpu_ratio, inside, memory, memory_ffmpeg, memory_ratio;
    std::vector<double> own, own_ffmpeg, own_ratio;
    std::vector<double> lone, lone_ffmpeg, lone_ratio, lone_cpu_ratio, four, four_ffmpeg,
        four_ratio;
    std::map<std::string, std::vector<double>> db, db_ffmpeg;  // by rendition
    std::map<std::string, double> bytes, bytes_ffmpeg;
};

struct Bench {
    const Options& options;
    std::string directory;
    Loop loop = {};
    std::vector<std::unique_ptr<Engine>> all = {};
    std::map<std::string, Sums> sums = {};

    void one(const std::string& preset, const Segment& segment, bool ours_first, bool count) {
        Cost ours, theirs;
        const EngineTask task = task_for(preset, 1);
        const auto reference = [&] {
            theirs = ffmpeg(loop, {ffmpeg_for(segment, preset, "1", directory + "/f_")});
        };
        if (!ours_first)
            reference();
        // An engine of its own for each preset: its peak is this preset's.
        ours = engines(loop, engine_of(preset), 1, task, segment);
        if (ours_first)
            reference();
        if (!count)
            return;
        Sums& sum = sums[preset];
        sum.cpu.push_back(ours.cpu_s);
        sum.cpu_ffmpeg.push_back(theirs.cpu_s);
        sum.cpu_ratio.push_back(ours.cpu_s / theirs.cpu_s);
        sum.inside.push_back(ours.inside_s / ours.engine_s);
        sum.memory.push_back(ours.peak_mib);
        sum.memory_ffmpeg.push_back(theirs.peak_mib);
        sum.memory_ratio.push_back(ours.peak_mib / theirs.peak_mib);
        sum.own.push_back(ours.own_mib);
        sum.own_ffmpeg.push_back(theirs.own_mib);
        sum.own_ratio.push_back(ours.own_mib / theirs.own_mib);
    }

    std::map<std::string, std::vector<std::unique_ptr<Engine>>> by_preset = {};
    std::vector<std::unique_ptr<Engine>>& engine_of(const std::string& preset) {
        auto& own = by_preset[preset];
        if (own.empty())
            own.push_back(std::make_unique<Engine>(loop, options.engine));
        return own;
    }

    void lone(const std::string& preset, const Segment& segment, bool ours_first) {
        Cost ours, theirs;
        const auto reference = [&] {
            theirs = ffmpeg(loop, {ffmpeg_for(segment, preset, "", directory + "/f_")});
        };
        if (!ours_first)
            reference();
        ours =
            engines(loop, all, 1, task_for(preset, std::thread::hardware_concurrency()), segment);
        if (ours_first)
            reference();
        Sums& sum = sums[preset];
        sum.lone.push_back(ours.wall_s);
        sum.lone_ffmpeg.push_back(theirs.wall_s);
        sum.lone_ratio.push_back(ours.wall_s / theirs.wall_s);
        sum.lone_cpu_ratio.push_back(ours.cpu_s / theirs.cpu_s);
    }

    void four(const std::string& preset, const Segment& segment, bool ours_first) {
        Cost ours, theirs;
        const auto reference = [&] {
            std::vector<std::vector<std::string>> commands;
            for (std::size_t n = 0; n < kAtOnce; ++n)
                commands.push_back(
                    ffmpeg_for(segment, preset, "1", directory + "/f" + std::to_string(n) + "_"));
            theirs = ffmpeg(loop, commands);
        };
        if (!ours_first)
            reference();
        ours = engines(loop, all, kAtOnce, task_for(preset, 1), segment);
        if (ours_first)
            reference();
        Sums& sum = sums[preset];
        sum.four.push_back(ours.wall_s);
        sum.four_ffmpeg.push_back(theirs.wall_s);
        sum.four_ratio.push_back(ours.wall_s / theirs.wall_s);
    }

    void quality(const std::string& preset, const Segment& segment) {
        (void)ffmpeg(loop, {ffmpeg_for(segment, preset, "1", directory + "/f_")});
        (void)engines(loop, engine_of(preset), 1, task_for(preset, 1), segment);
        Sums& sum = sums[preset];
        for (const auto& [name, bytes] : engine_of(preset)[0]->files()) {
            const auto* const size =
                std::find_if(std::begin(kLadder), std::end(kLadder),
                             [&, &name = name](const Size3& one) { return name == one.name; });
            const std::string ours = directory + "/o_" + name + ".ts",
                              theirs = directory + "/f_" + name + ".ts";
            write_file(ours, *bytes);
            sum.db[name].push_back(psnr(ours, segment, *size, directory));
            sum.db_ffmpeg[name].push_back(psnr(theirs, segment, *size, directory));
            sum.bytes[name] += static_cast<double>(bytes->size());
            sum.bytes_ffmpeg[name] += static_cast<double>(fs::file_size(theirs));
        }
    }
};

bool line(const char* what, const std::vector<double>& ours, const std::vector<double>& theirs,
          const std::vector<double>& ratios, double most, const char* unit) {
    if (ratios.empty())
        return true;  // not among the parts
    const double median = quantile(ratios, 0.5);
    const bool met = median <= most;
    std::printf("  %-34s %8.3f %8.3f %-4s ratio p50 %.3f, p99 %.3f, demand %.2f: %s\n", what,
                quantile(ours, 0.5), quantile(theirs, 0.5), unit, median, quantile(ratios, 0.99),
                most, met ? "met" : "NOT MET");
    return met;
}

bool print_inside(const Sums& sum) {
    std::printf("  without pages of files             %8.3f %8.3f MiB  ratio p50 %.3f\n",
                quantile(sum.own, 0.5), quantile(sum.own_ffmpeg, 0.5),
                quantile(sum.own_ratio, 0.5));
    const double inside = quantile(sum.inside, 0.5);
    std::printf(
        "  CPU inside decode, scale and encode calls p50 %.1f %%, least %.1f %%, demand %.0f %%: "
        "%s\n",
        100 * inside, 100 * quantile(sum.inside, 0), 100 * kInsideMin,
        inside >= kInsideMin ? "met" : "NOT MET");
    return inside >= kInsideMin;
}

void print_quality(const Sums& sum) {
    const auto mean = [](const std::vector<double>& all) {
        return std::accumulate(all.begin(), all.end(), 0.0) / static_cast<double>(all.size());
    };
    for (const Size3& size : kLadder)
        std::printf("  PSNR %s  ours %.2f dB, %.0f kB; ffmpeg %.2f dB, %.0f kB\n", size.name,
                    mean(sum.db.at(size.name)), sum.bytes.at(size.name) / 1000,
                    mean(sum.db_ffmpeg.at(size.name)), sum.bytes_ffmpeg.at(size.name) / 1000);
}

bool print(const std::string& preset, const Sums& sum) {
    std::printf("%-36s %8s %8s\n", preset.c_str(), "ours", "ffmpeg");
    bool met =
        line("CPU of a segment", sum.cpu, sum.cpu_ffmpeg, sum.cpu_ratio, cpu_max(preset), "s");
    met &= line("peak memory of a session", sum.memory, sum.memory_ffmpeg, sum.memory_ratio,
                kMemoryMax, "MiB");
    met &=
        line("wall time, lone session", sum.lone, sum.lone_ffmpeg, sum.lone_ratio, kLoneMax, "s");
    met &= line("wall time, 4 sessions at once", sum.four, sum.four_ffmpeg, sum.four_ratio,
                kFourMax, "s");
    if (!sum.lone.empty())
        std::printf("  CPU of a lone session, ratio p50 %.3f\n", quantile(sum.lone_cpu_ratio, 0.5));
    if (!sum.cpu.empty())
        met &= print_inside(sum);
    if (!sum.db.empty())
        print_quality(sum);
    return met;
}

int compare(const Options& options) {
    char name[] = "/tmp/bench_pipeline.XXXXXX";
    if (::mkdtemp(name) == nullptr)
        give_up("no directory for files");
    const std::vector<Segment> segments = prepare(options, name);
    std::printf("inputs      %zu segments of 1080p:", segments.size());
    for (const Segment& segment : segments)
        std::printf(" %s,", segment.name.c_str());
    std::printf(
        " %d repetitions; 720p, 360p, 240p, CRF %d under 3, 1 and 0.5 Mbit/s, audio copied\n",
        options.repetitions, kQuality);
    print_machine();
    Bench bench{options, name};
    for (std::size_t n = 0; n < kAtOnce; ++n)
        bench.all.push_back(std::make_unique<Engine>(bench.loop, options.engine));
    for (const std::string& preset :
         options.presets) {  // warm: the page cache, and an engine's first segment
        bench.one(preset, segments[0], false, false);
        (void)engines(bench.loop, bench.all, kAtOnce, task_for(preset, 1), segments[0]);
    }
    bool ours_first = false;
    for (int repetition = 0; repetition < options.repetitions; ++repetition)
        for (const Segment& segment : segments)
            for (const std::string& preset : options.presets) {
                if (options.has("one"))
                    bench.one(preset, segment, ours_first, true);
                if (options.has("lone"))
                    bench.lone(preset, segment, ours_first);
                if (options.has("four"))
                    bench.four(preset, segment, ours_first);
                ours_first = !ours_first;
            }
    if (options.has("psnr"))
        for (const std::string& preset : options.presets)
            for (const Segment& segment : segments)
                bench.quality(preset, segment);
    fs::remove_all(name);
    bool met = true;
    for (const std::string& preset : options.presets)
        met &= print(preset, bench.sums[preset]);
    return met ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    // Instead of the transcoder's (--engine /proc/self/exe): quicker to build while working on the engine.
    if (argc > 1 && std::string_view(argv[1]) == engine::kEngineArgument)
        engine::engine_main(engine::kEngineSocket, /*with_gpu=*/false);
    Options options;
    if (!parse(argc, argv, options)) {
        std::fprintf(
            stderr,
            "usage: bench_pipeline [--media DIR] [--engine FILE] [--segments N] [--repetitions N] "
            "[--presets A,B] [--parts one,lone,four,psnr]\n");
        return 64;
    }
    return compare(options);
}
