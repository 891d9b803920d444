#include "transcoder/media/devices.h"

#include <algorithm>

#include "tests/support/catch.h"

namespace millrace::media {

TEST_CASE("the survey names everything that was tried, and why something is missing", "[devices]") {
    const Survey found = survey();
    const auto named = [&](const char* kind, const char* name) {
        return std::ranges::find_if(found.abilities, [&](const Ability& ability) {
            return ability.kind == kind && ability.name == name;
        });
    };
    for (const auto& [kind, name] : {std::pair{"video decoder", "h264"},
                                     {"video encoder", "libx264"},
                                     {"video encoder", "libx265"},
                                     {"video encoder", "libvpx-vp9"},
                                     {"video encoder", "libaom-av1"},
                                     {"audio encoder", "aac"},
                                     {"audio encoder", "libopus"},
                                     {"audio decoder", "vorbis"},
                                     {"filter", "bwdif"},
                                     {"filter", "zscale"},
                                     {"filter", "tonemap"}}) {
        INFO(kind << " " << name);
        const auto at = named(kind, name);
        REQUIRE(at != found.abilities.end());
        INFO(at->reason);
        CHECK(at->works);
        CHECK(at->used);
    }
    for (const Ability& ability : found.abilities)
        CHECK((ability.works && ability.used) == ability.reason.empty());
    CHECK_FALSE(named("video encoder", "libsvtav1")->used);
}

TEST_CASE("what is advertised is what works and is used", "[devices]") {
    const Capabilities offered = capabilities();
    CHECK(offered == survey().capabilities);
    CHECK(offered.encode == std::vector<VideoCodec>{VideoCodec::h264, VideoCodec::hevc,
                                                    VideoCodec::vp9, VideoCodec::av1});
    CHECK(offered.audio_encode == std::vector<AudioCodec>{AudioCodec::aac, AudioCodec::opus});
    CHECK(offered.containers_out.size() == 2);
    CHECK(offered.decode.size() == 6);
}

}  // namespace millrace::media
