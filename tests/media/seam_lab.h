#pragma once
// Measures what a viewer meets where segments join: the step in quality, and the decoder's buffer
// over the joined stream. ffmpeg's command line decodes, encodes the references and compares; the
// leaky bucket is written down here once more, apart from the pipeline's.
//
// The step at a join is the mean PSNR (luma, dB) of the last kSpan pictures before it minus that of
// the first kSpan after it: positive = worse after. A fifth of a second on either side, because a
// cold encoder's damage is worst there and the film itself has not changed much yet. What has
// changed shows in a reference: one encoder over all segments with key frames forced at the joins.
// The excess is our step minus the reference's at the same join.
//
// Thread: its owner's.

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "common/domain/rendition.h"
#include "common/domain/segment.h"

namespace millrace::test {

inline constexpr int kSpan = 5;  // pictures on either side of a join
// Nobody sees what is gained above it, so that it makes up for nothing in a mean over a stream, dB.
inline constexpr double kSeenMax = 50.0;

// Of every picture in decoding order.
[[nodiscard]] std::vector<std::int64_t> picture_bytes(const std::vector<std::uint8_t>& video);

class SeamLab {
public:
    // Segments as a broadcaster sends them; each must open with a key frame.
    SeamLab(std::string name, std::vector<std::vector<std::uint8_t>> segments);
    ~SeamLab();
    SeamLab(const SeamLab&) = delete;
    SeamLab& operator=(const SeamLab&) = delete;

    struct Stream {
        std::vector<double> psnr;  // of every picture, dB
        double step = 0;           // mean over the joins, dB
        double excess = 0;         // the same against the reference
        double worst_excess = 0;
        double mean_psnr = 0;  // over all, what is above kSeenMax taken for that
        double rate = 0;       // of the bitrate asked for
        int violations = 0;    // pictures that found too few bits in the buffer
        double lowest = 0;     // fill of the buffer, of its size
        double cpu_s = 0;      // of encoding; 0 = not measured
    };
    struct Figures {
        std::string what;
        Stream reference;  // one encoder for all
        Stream cold;       // the same encoder by ffmpeg, cold at every join
        Stream ours;
        std::vector<RenditionReport> reports;  // ours, a segment each
        std::vector<std::uint8_t> joined;      // ours
    };
    // Transcodes every segment by itself, with nothing shared but the seam context, and measures
    // all renditions.
    [[nodiscard]] std::vector<Figures> measure(const Ladder& ladder);
    // What is printed for each: naive cold, ours, one encoder.
    static void print(const std::vector<Figures>& all);

private:
    [[nodiscard]] std::string path(const std::string& name) const { return (dir_ / name).string(); }
    void prepare(const RenditionSpec& spec, Size size);
    [[nodiscard]] std::string encoder(const RenditionSpec& spec) const;
    [[nodiscard]] Stream judge(const std::string& file, const RenditionSpec& spec, Size size,
                               const Stream* reference) const;
    [[nodiscard]] std::vector<double> psnr(const std::string& file, Size size) const;
    void leak(const std::string& file, const RenditionSpec& spec, Stream& stream) const;

    std::string name_;
    std::vector<std::vector<std::uint8_t>> segments_;
    std::filesystem::path dir_;
    std::vector<int> first_;  // picture of every segment, and the end
    std::string rate_;        // pictures per second, as ffmpeg writes it
    double step_s_ = 0;
};

}  // namespace millrace::test
