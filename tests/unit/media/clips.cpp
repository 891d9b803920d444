#include "tests/unit/media/clips.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include <unistd.h>

#include "tests/support/catch.h"

// libx265 3.5 keeps a few strings and buffers of each encoder for ever.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() {
    return "leak:libx265";
}

namespace millrace::test {
namespace {

// A file that lives as long as the object: ffprobe wants to seek.
class TemporaryFile {
public:
    explicit TemporaryFile(std::span<const std::uint8_t> bytes) {
        const int fd = mkstemp(path_.data());
        REQUIRE(fd >= 0);
        close(fd);
        std::ofstream(path_, std::ios::binary)
            .write(reinterpret_cast<const char*>(bytes.data()),
                   static_cast<std::streamsize>(bytes.size()));
    }
    ~TemporaryFile() { std::filesystem::remove(path_); }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;
    [[nodiscard]] const std::string& path() const { return path_; }

private:
    std::string path_ = (std::filesystem::temp_directory_path() / "millrace-clip-XXXXXX").string();
};

std::vector<std::string> split(const std::string& text, char separator) {
    std::vector<std::string> parts;
    std::istringstream in(text);
    for (std::string part; std::getline(in, part, separator);)
        parts.push_back(part);
    return parts;
}

}  // namespace

std::string output_of(const std::string& command) {
    FILE* pipe = popen(command.c_str(), "r");
    REQUIRE(pipe != nullptr);
    std::string out;
    char buffer[65536];
    for (std::size_t count = 0; (count = fread(buffer, 1, sizeof buffer, pipe)) > 0;)
        out.append(buffer, count);
    INFO(command);
    REQUIRE(pclose(pipe) == 0);
    return out;
}

namespace {

std::string command_of(const ClipSpec& spec) {
    std::ostringstream command;
    command << "ffmpeg -v error -nostdin";
    if (spec.video)
        command << " -f lavfi -i testsrc2=size=" << spec.size.width << "x" << spec.size.height
                << ":rate=" << spec.fps << (spec.filter.empty() ? "" : "," + spec.filter);
    if (spec.audio)
        command << " -f lavfi -i \"" << spec.sound << "\"";
    command << " -t " << spec.seconds << " -pix_fmt yuv420p " << spec.encode << " -muxdelay 0"
            << " -output_ts_offset " << spec.start;
    return command.str();
}

}  // namespace

std::vector<std::uint8_t> clip(const ClipSpec& spec) {
    const std::string out = output_of(command_of(spec) + " -f " + spec.format + " pipe:1");
    return {out.begin(), out.end()};
}

std::vector<std::vector<std::uint8_t>> segments(const ClipSpec& spec, double every) {
    namespace fs = std::filesystem;
    std::string folder = (fs::temp_directory_path() / "millrace-cut-XXXXXX").string();
    REQUIRE(mkdtemp(folder.data()) != nullptr);
    output_of(command_of(spec) + " -f segment -segment_format mpegts -segment_time " +
              std::to_string(every) + " -segment_format_options mpegts_copyts=1 " + folder +
              "/%04d.ts");
    std::vector<fs::path> paths(fs::directory_iterator(folder), fs::directory_iterator{});
    std::ranges::sort(paths);
    std::vector<std::vector<std::uint8_t>> pieces;
    for (const fs::path& path : paths)
        pieces.push_back(read_file(path.string()));
    fs::remove_all(folder);
    return pieces;
}

std::vector<std::uint8_t> made_by(const std::string& arguments) {
    const std::string out = output_of("ffmpeg -v error -nostdin " + arguments);
    return {out.begin(), out.end()};
}

std::vector<std::uint8_t> cut_at_key(std::span<const std::uint8_t> ts, int n) {
    constexpr std::size_t kPacket = 188;
    const auto pid = [&](std::size_t at) { return (ts[at + 1] & 0x1f) << 8 | ts[at + 2]; };
    std::vector<std::uint8_t> out;
    for (std::size_t at = 0; at + kPacket <= ts.size(); at += kPacket) {
        const bool key = pid(at) == 256 && (ts[at + 1] & 0x40) != 0 && (ts[at + 3] & 0x20) != 0 &&
                         (ts[at + 5] & 0x40) != 0;
        if (key && n-- == 0) {
            out.insert(out.end(), ts.begin() + static_cast<std::ptrdiff_t>(at), ts.end());
            return out;
        }
        if (pid(at) == 0 || pid(at) == 4096)
            out.insert(out.end(), ts.begin() + static_cast<std::ptrdiff_t>(at),
                       ts.begin() + static_cast<std::ptrdiff_t>(at + kPacket));
    }
    FAIL("no such random access point");
    return out;
}

double psnr(std::span<const std::uint8_t> bytes, std::span<const std::uint8_t> reference,
            const std::string& filter) {
    const TemporaryFile ours(bytes);
    const TemporaryFile theirs(reference);
    const std::string out =
        output_of("ffmpeg -nostdin -hide_banner -i " + ours.path() + " -i " + theirs.path() +
                  " -lavfi '[0:v]settb=1/90000,setpts=N[a];[1:v]" + filter +
                  ",settb=1/90000,setpts=N[b];[a][b]psnr' -f null - 2>&1");
    const std::size_t at = out.rfind("average:");
    REQUIRE(at != std::string::npos);
    const std::string value = out.substr(at + 8, 8);
    return value.starts_with("inf") ? 100.0 : std::atof(value.c_str());
}

std::vector<float> decoded_sound(std::span<const std::uint8_t> bytes) {
    const TemporaryFile file(bytes);
    const std::string out = output_of("ffmpeg -nostdin -v error -xerror -i " + file.path() +
                                      " -map 0:a:0 -ac 1 -ar 48000 -f f32le pipe:1");
    std::vector<float> samples(out.size() / sizeof(float));
    std::memcpy(samples.data(), out.data(), samples.size() * sizeof(float));
    return samples;
}

std::vector<ProbedPacket> probe_packets(std::span<const std::uint8_t> bytes,
                                        const std::string& stream) {
    const TemporaryFile file(bytes);
    std::vector<ProbedPacket> packets;
    for (const std::string& line :
         split(output_of("ffprobe -v quiet -select_streams " + stream +
                         " -show_entries packet=pts,dts,flags -of csv=p=0 " + file.path()),
               '\n')) {
        const auto fields = split(line, ',');
        if (fields.size() >= 3)
            packets.push_back({std::atoll(fields[0].c_str()), std::atoll(fields[1].c_str()),
                               fields[2].find('K') != std::string::npos});
    }
    return packets;
}

std::vector<std::int64_t> probe_times(std::span<const std::uint8_t> bytes,
                                      const std::string& stream) {
    std::vector<std::int64_t> times;
    for (const ProbedPacket& packet : probe_packets(bytes, stream))
        times.push_back(packet.pts);
    std::ranges::sort(times);
    return times;
}

std::vector<ProbedFrame> probe_frames(std::span<const std::uint8_t> bytes,
                                      const std::string& stream) {
    const TemporaryFile file(bytes);
    std::vector<ProbedFrame> frames;
    for (const std::string& line :
         split(output_of("ffprobe -v quiet -select_streams " + stream +
                         " -show_entries frame=best_effort_timestamp_time,width,height "
                         "-of csv=p=0 " +
                         file.path() + " || true"),
               '\n')) {
        const auto fields = split(line, ',');
        if (fields.size() >= 3 && !fields[0].empty())
            frames.push_back({std::atof(fields[0].c_str()),
                              {std::atoi(fields[1].c_str()), std::atoi(fields[2].c_str())}});
    }
    return frames;
}

std::string probe_entry(std::span<const std::uint8_t> bytes, const std::string& stream,
                        const std::string& entry) {
    const TemporaryFile file(bytes);
    const std::string out =
        output_of("ffprobe -v quiet -select_streams " + stream + " -show_entries stream=" + entry +
                  " -of default=nw=1:nk=1 " + file.path());
    return out.substr(0, out.find('\n'));
}

std::string probe_side_entry(std::span<const std::uint8_t> bytes, const std::string& stream,
                             const std::string& entry) {
    const TemporaryFile file(bytes);
    const std::string out = output_of("ffprobe -v quiet -select_streams " + stream +
                                      " -show_entries stream_side_data=" + entry +
                                      " -of default=nw=1:nk=1 " + file.path());
    return out.substr(0, out.find('\n'));
}

std::string first_frame_says(std::span<const std::uint8_t> bytes) {
    const TemporaryFile file(bytes);
    return output_of("ffprobe -v quiet -select_streams v:0 -show_frames -read_intervals %+#1 " +
                     file.path());
}

std::int64_t decoded_frames(std::span<const std::uint8_t> bytes) {
    const TemporaryFile file(bytes);
    const std::string out =
        output_of("ffmpeg -nostdin -v error -i " + file.path() + " -map 0:v:0 -f framecrc - 2>&1");
    std::int64_t frames = 0;
    for (const std::string& line : split(out, '\n')) {
        INFO(line);
        CHECK(!line.empty());
        const bool row = line[0] == '0' && line.find(',') != std::string::npos;
        CHECK((row || line[0] == '#'));
        frames += row ? 1 : 0;
    }
    return frames;
}

std::int64_t frames_ffmpeg_decodes(std::span<const std::uint8_t> bytes) {
    const TemporaryFile file(bytes);
    const std::string out = output_of("ffmpeg -nostdin -v quiet -i " + file.path() +
                                      " -an -sn -dn -vsync passthrough -f framecrc -");
    const auto lines = split(out, '\n');
    return std::ranges::count_if(
        lines, [](const std::string& line) { return !line.empty() && line[0] == '0'; });
}

std::vector<std::uint8_t> read_file(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::uint8_t> joined(const std::vector<std::vector<std::uint8_t>>& pieces) {
    std::vector<std::uint8_t> all;
    for (const auto& piece : pieces)
        all.insert(all.end(), piece.begin(), piece.end());
    return all;
}

}  // namespace millrace::test
