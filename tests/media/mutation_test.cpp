// Thousands of damaged segments: whatever the bytes, the pipeline returns, soon, with pictures or with
// a reason. The damage is the same in every run. MILLRACE_MUTATIONS=N for another number of rounds.

#include <chrono>
#include <cstdlib>

#include "tests/support/catch.h"
#include "tests/unit/media/clips.h"
#include "tests/unit/media/transcoded.h"

namespace millrace::media {
namespace {

using Bytes = std::vector<std::uint8_t>;
using namespace std::chrono_literals;

constexpr int kRounds = 300;  // of each source

class Damage {
public:
    explicit Damage(std::uint64_t seed) : state_(seed) {}

    Bytes done_to(Bytes bytes) {
        for (std::uint64_t n = random() % 4 + 1; n > 0 && !bytes.empty(); --n)
            once(bytes);
        return bytes;
    }

private:
    std::uint64_t random() {
        state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
        return state_ >> 33;
    }

    void once(Bytes& bytes) {
        const std::size_t at = random() % bytes.size();
        const auto from = bytes.begin() + static_cast<std::ptrdiff_t>(at);
        const auto some = static_cast<std::ptrdiff_t>(
            std::min<std::size_t>(random() % 400 + 1, bytes.size() - at));
        switch (random() % 6) {
            case 0:
                for (std::uint64_t n = random() % 60 + 1; n > 0; --n)
                    bytes[random() % bytes.size()] = static_cast<std::uint8_t>(random());
                break;
            case 1:  // near the front, where headers are
                for (std::uint64_t n = random() % 8 + 1; n > 0; --n)
                    bytes[random() % std::min<std::size_t>(bytes.size(), 1200)] ^=
                        static_cast<std::uint8_t>(1U << random() % 8);
                break;
            case 2:
                bytes.resize(at);
                break;
            case 3:
                bytes.erase(from, from + some);
                break;
            case 4: {
                const Bytes copy(from, from + some);
                bytes.insert(from, copy.begin(), copy.end());
                break;
            }
            default:
                std::fill(from, from + some, random() % 2 == 0 ? 0x00 : 0xff);
                break;
        }
    }

    std::uint64_t state_;
};

std::vector<Bytes> sources() {
    const std::string input =
        "-f lavfi -i testsrc2=size=64x64:rate=25 -f lavfi -i sine=sample_rate=48000 -t 0.2 ";
    std::vector<Bytes> made;
    for (const char* rest :
         {"-c:v libx264 -preset veryfast -pix_fmt yuv420p -c:a aac -f mpegts",
          "-c:v libx264 -preset ultrafast -pix_fmt yuv422p -c:a aac "
          "-movflags frag_keyframe+empty_moov -f mp4",
          "-c:v libx265 -x265-params log-level=none -c:a mp2 -f mpegts",
          "-c:v mpeg2video -flags +ildct+ilme -c:a mp2 -f mpegts",
          "-c:v libvpx-vp9 -cpu-used 8 -c:a libopus -f webm", "-c:v libvpx -c:a libvorbis -f webm",
          "-c:v libsvtav1 -preset 12 -c:a libopus -f matroska"})
        made.push_back(test::made_by(input + rest + " pipe:1 2>/dev/null"));
    return made;
}

int rounds() {
    const char* given = std::getenv("MILLRACE_MUTATIONS");
    return given == nullptr ? kRounds : std::atoi(given);
}

}  // namespace

TEST_CASE("no damage does more than spoil pictures", "[mutations]") {
    TranscodeRequest request;
    request.ladder = {test::quick("out", {32, 24}, {30, 1})};
    request.allow_audio_only = true;
    std::uint64_t seed = 1;
    for (const Bytes& good : sources()) {
        int pictures = 0;
        for (int round = 0; round < rounds(); ++round, ++seed) {
            INFO("seed " << seed);
            const auto started = std::chrono::steady_clock::now();
            const test::Transcoded out(Damage(seed).done_to(good), request);
            CHECK(std::chrono::steady_clock::now() - started < 30s);
            if (out.report) {
                CHECK(out.report->renditions.size() == 1);
                CHECK(out.report->renditions[0].bytes == out.files.at("out").size());
                pictures += out.report->source.frames > 0 ? 1 : 0;
            } else {
                INFO(out.report.error().message);
                CHECK(out.report.error().kind == ErrorKind::bad_input);
                CHECK(out.report.error().message.size() > 20);
            }
        }
        CHECK(pictures > 0);
    }
}

}  // namespace millrace::media
