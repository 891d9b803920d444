#include "tests/media/seam_lab.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <numeric>
#include <sstream>

#include <unistd.h>

#include "common/runtime/payload.h"
#include "tests/support/catch.h"
#include "tests/unit/media/clips.h"
#include "transcoder/media/transcode.h"

namespace millrace::test {
namespace {

namespace fs = std::filesystem;

constexpr double kStartFill = 0.9;  // of the buffer: what x264 assumes of a player

void write(const std::string& path, const std::vector<std::uint8_t>& bytes) {
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
}

struct Keeper final : media::TranscodeObserver {
    void rendition_done(RenditionReport report, std::vector<std::uint8_t> bytes) override {
        files[report.index] = std::move(bytes);
    }
    std::map<std::uint32_t, std::vector<std::uint8_t>> files;
};

std::string text(Size size) {
    return std::to_string(size.width) + "x" + std::to_string(size.height);
}

double mean(const std::vector<double>& values, int first, int count) {
    return std::accumulate(values.begin() + first, values.begin() + first + count, 0.0) / count;
}

bool capped(const RenditionSpec& spec) {
    return spec.quality > 0;
}

// Pictures that need no container to be one after the other.
bool bare(const RenditionSpec& spec) {
    return spec.codec == VideoCodec::h264 || spec.codec == VideoCodec::hevc;
}

std::string format(const RenditionSpec& spec) {
    if (!bare(spec))
        return "matroska";
    return spec.codec == VideoCodec::hevc ? "hevc" : "h264";
}

std::string codec_word(const RenditionSpec& spec) {
    switch (spec.codec) {
        case VideoCodec::hevc:
            return " hevc";
        case VideoCodec::vp9:
            return " vp9";
        case VideoCodec::av1:
            return " av1";
        default:
            return "";
    }
}

// The names of encoders, veryfast as the pipeline has it.
std::string encoder_words(const RenditionSpec& spec) {
    switch (spec.codec) {
        case VideoCodec::hevc:
            return " -c:v libx265 -preset veryfast -x265-params "
                   "log-level=none:open-gop=0:keyint=-1:min-keyint=1000000:pools=none -forced-idr "
                   "1";
        case VideoCodec::vp9:
            return " -c:v libvpx-vp9 -deadline realtime -cpu-used 6 -row-mt 0 -threads 1"
                   " -g 1000000 -keyint_min 1000000";
        case VideoCodec::av1:
            return " -c:v libaom-av1 -usage realtime -cpu-used 7 -row-mt 0 -threads 1"
                   " -g 1000000 -keyint_min 1000000";
        default:
            return " -c:v libx264 -preset veryfast -threads 1 -g 1000000 -keyint_min 500000"
                   " -forced-idr 1";
    }
}

}  // namespace

std::vector<std::int64_t> picture_bytes(const std::vector<std::uint8_t>& video) {
    const std::string file =
        (fs::temp_directory_path() / ("millrace-sizes-" + std::to_string(getpid()))).string();
    write(file, video);
    std::istringstream lines(output_of(
        "ffprobe -v error -select_streams v:0 -show_entries packet=size -of csv=p=0 " + file));
    fs::remove(file);
    std::vector<std::int64_t> sizes;
    for (std::string line; std::getline(lines, line);)
        if (!line.empty())
            sizes.push_back(std::stoll(line));
    return sizes;
}

SeamLab::SeamLab(std::string name, std::vector<std::vector<std::uint8_t>> segments)
    : name_(std::move(name)),
      segments_(std::move(segments)),
      dir_(fs::temp_directory_path() / ("millrace-seams-" + std::to_string(getpid()))) {
    fs::create_directories(dir_);
    first_.push_back(0);
    for (std::size_t n = 0; n < segments_.size(); ++n) {
        const std::string file = path("source-" + std::to_string(n));
        write(file, segments_[n]);
        first_.push_back(first_.back() + static_cast<int>(frames_ffmpeg_decodes(segments_[n])));
    }
    rate_ = probe_entry(segments_.front(), "v:0", "r_frame_rate");
    const auto slash = rate_.find('/');
    step_s_ = std::stod(rate_.substr(slash + 1)) / std::stod(rate_);
}

SeamLab::~SeamLab() {
    fs::remove_all(dir_);
}

std::string SeamLab::encoder(const RenditionSpec& spec) const {
    std::ostringstream out;
    out << encoder_words(spec);
    if (capped(spec) && !bare(spec)) {  // the ceiling of libvpx and libaom has no buffer
        out << " -b:v " << spec.bitrate << " -crf " << spec.quality;
        return out.str();
    }
    out << " -maxrate " << spec.bitrate << " -bufsize " << (capped(spec) ? 2 : 1) * spec.bitrate;
    if (capped(spec))
        out << " -crf " << spec.quality;
    else
        out << " -b:v " << spec.bitrate << " -minrate " << spec.bitrate;
    return out.str();
}

// The source in the rendition's size without loss, and the two references made of it.
void SeamLab::prepare(const RenditionSpec& spec, Size size) {
    const std::string scaled = path(text(size) + ".mkv");
    if (!fs::exists(scaled)) {
        std::string list;
        for (std::size_t n = 0; n < segments_.size(); ++n) {
            const std::string part = path("part-" + std::to_string(n) + ".h264");
            output_of("ffmpeg -nostdin -v error -y -i " + path("source-" + std::to_string(n)) +
                      " -an -vsync passthrough -vf scale=" + std::to_string(size.width) + ":" +
                      std::to_string(size.height) +
                      ":flags=bicubic,format=yuv420p -c:v libx264 -qp 0 -preset ultrafast -bf 0 " +
                      part);
            list += (list.empty() ? "" : "|") + part;
        }
        output_of("ffmpeg -nostdin -v error -y -framerate " + rate_ +
                  " -f h264 -i \"concat:" + list + "\" -c copy " + scaled);
    }
    std::string joins;
    std::string colds;
    std::ofstream list(path("cold.list"));
    for (std::size_t n = 0; n + 1 < first_.size(); ++n) {
        joins += (joins.empty() ? "eq(n," : "+eq(n,") + std::to_string(first_[n]) + ")";
        const std::string cold = path("cold-" + std::to_string(n));
        output_of("ffmpeg -nostdin -v error -y -i " + scaled + " -vf trim=start_frame=" +
                  std::to_string(first_[n]) + ":end_frame=" + std::to_string(first_[n + 1]) +
                  ",setpts=PTS-STARTPTS" + encoder(spec) + " -f " + format(spec) + " " + cold);
        colds += " " + cold;
        list << "file '" << cold << "'\n";
    }
    list.close();
    output_of(bare(spec) ? "cat" + colds + " > " + path("cold")
                         : "ffmpeg -nostdin -v error -y -f concat -safe 0 -i " + path("cold.list") +
                               " -c copy -f matroska " + path("cold"));
    output_of("ffmpeg -nostdin -v error -y -i " + scaled + encoder(spec) +
              " -force_key_frames 'expr:" + joins + "' -f " + format(spec) + " " +
              path("reference"));
}

std::vector<double> SeamLab::psnr(const std::string& file, Size size) const {
    const std::string log = path("psnr.log");
    // Matched by number, whatever the times.
    const auto slash = rate_.find('/');
    const std::string count =
        "settb=" + rate_.substr(slash + 1) + "/" + rate_.substr(0, slash) + ",setpts=N";
    output_of("ffmpeg -nostdin -v error -y -i " + file + " -i " + path(text(size) + ".mkv") +
              " -an -lavfi '[0:v]" + count + "[a];[1:v]" + count +
              "[b];[a][b]psnr=stats_file=" + log + "' -vsync passthrough -f null -");
    std::vector<double> values;
    std::ifstream in(log);
    for (std::string word; in >> word;)
        if (word.starts_with("psnr_y:"))
            values.push_back(word == "psnr_y:inf" ? 100.0 : std::stod(word.substr(7)));
    return values;
}

void SeamLab::leak(const std::string& file, const RenditionSpec& spec, Stream& stream) const {
    const auto rate = static_cast<double>(spec.bitrate);
    const double size = (capped(spec) ? 2 : 1) * rate;
    double fill = kStartFill * size;
    double bits = 0;
    stream.lowest = 1;
    for (const std::int64_t bytes : picture_bytes(read_file(file))) {
        const double taken = static_cast<double>(bytes) * 8;
        fill -= taken;
        bits += taken;
        stream.violations += fill < 0 ? 1 : 0;
        stream.lowest = std::min(stream.lowest, fill / size);
        fill = std::min(size, fill + rate * step_s_);
    }
    stream.rate = bits / (rate * step_s_ * first_.back());
}

SeamLab::Stream SeamLab::judge(const std::string& file, const RenditionSpec& spec, Size size,
                               const Stream* reference) const {
    Stream stream;
    stream.psnr = psnr(file, size);
    REQUIRE(static_cast<int>(stream.psnr.size()) == first_.back());
    std::vector<double> seen = stream.psnr;
    for (double& value : seen)
        value = std::min(value, kSeenMax);
    stream.mean_psnr = mean(seen, 0, first_.back());
    leak(file, spec, stream);
    const auto joins = static_cast<double>(first_.size() - 2);
    stream.worst_excess = -100;
    for (std::size_t n = 1; n + 1 < first_.size(); ++n) {
        const auto step = [&](const std::vector<double>& of) {
            const int span =
                std::min({kSpan, first_[n] - first_[n - 1], first_[n + 1] - first_[n]});
            return mean(of, first_[n] - span, span) - mean(of, first_[n], span);
        };
        const double excess = step(stream.psnr) - step(reference ? reference->psnr : stream.psnr);
        stream.step += step(stream.psnr) / joins;
        stream.excess += excess / joins;
        stream.worst_excess = std::max(stream.worst_excess, excess);
    }
    return stream;
}

std::vector<SeamLab::Figures> SeamLab::measure(const Ladder& ladder) {
    std::vector<Figures> all(ladder.size());
    double encode_s = 0;
    SeamContext seam;
    for (const auto& segment : segments_) {
        Keeper keeper;
        media::PayloadSource bytes(make_payload(std::make_shared<BlockPool>(), segment));
        media::TranscodeRequest request;
        request.ladder = ladder;
        request.seam = seam;
        const auto report = media::transcode(bytes, request, keeper, {});
        REQUIRE(report);
        seam = report->seam;
        encode_s += static_cast<double>(report->times.encode_us) / 1e6;
        for (const RenditionReport& r : report->renditions) {
            all[r.index].reports.push_back(r);
            auto& joined = all[r.index].joined;
            const auto& file = keeper.files.at(r.index);
            const auto init = joined.empty() ? 0 : static_cast<std::ptrdiff_t>(r.init_bytes);
            joined.insert(joined.end(), file.begin() + init, file.end());
        }
    }
    for (std::size_t index = 0; index < ladder.size(); ++index) {
        Figures& figures = all[index];
        const RenditionSpec& spec = ladder[index];
        const Size size = figures.reports.front().size;
        figures.what = name_ + " " + std::to_string(size.height) + "p " +
                       std::to_string(spec.bitrate / 1000) + "k" + codec_word(spec) +
                       (capped(spec) ? " capped" : "");
        write(path("ours.ts"), figures.joined);
        prepare(spec, size);
        figures.reference = judge(path("reference"), spec, size, nullptr);
        figures.cold = judge(path("cold"), spec, size, &figures.reference);
        figures.ours = judge(path("ours.ts"), spec, size, &figures.reference);
        figures.ours.cpu_s = encode_s;  // of all renditions together
    }
    return all;
}

void SeamLab::print(const std::vector<Figures>& all) {
    std::printf("%-24s %-10s %7s %7s %7s %9s %7s %5s %7s\n", "", "", "step", "excess", "worst",
                "mean PSNR", "rate", "VBV", "lowest");
    for (const Figures& f : all) {
        for (const auto& [who, s] : {std::pair<const char*, const Stream&>{"cold", f.cold},
                                     {"ours", f.ours},
                                     {"continuous", f.reference}})
            std::printf("%-24s %-10s %7.2f %7.2f %7.2f %9.2f %6.1f%% %5d %6.0f%%\n", f.what.c_str(),
                        who, s.step, s.excess, s.worst_excess, s.mean_psnr, 100 * s.rate,
                        s.violations, 100 * s.lowest);
    }
    std::fflush(stdout);
}

}  // namespace millrace::test
