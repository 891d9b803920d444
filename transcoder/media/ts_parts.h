#pragma once
// A segment cut where its video changes: an MPEG-TS whose programme map names another codec or
// another PID for the video than before becomes two. (FFmpeg 5.1 goes on with the codec it saw
// first and makes garbage of the rest.)
//
// Promises: every part but the first begins with a PAT and the new map. What is not one programme in
// packets of 188 bytes from the first byte on, with maps of one packet, passes unchanged as one part.
//
// Thread: as ByteSource.

#include <array>
#include <utility>
#include <vector>

#include "transcoder/media/transcode.h"

namespace millrace::media {

class TsParts final : public ByteSource {
public:
    static constexpr std::size_t kPacket = 188;
    // What comes after so many changes stays one part: each costs a demuxer.
    static constexpr int kPartsMax = 16;

    explicit TsParts(ByteSource& source) : source_(source) {}

    // 0 also at the end of a part.
    std::size_t read(std::span<std::uint8_t> out) override;
    [[nodiscard]] std::optional<std::uint64_t> size() const override { return source_.size(); }
    void stop() override { source_.stop(); }

    // Goes on to the next part; false when there is none.
    [[nodiscard]] bool next();

private:
    struct Video {
        std::uint32_t pid = 0;
        std::uint8_t type = 0;
        bool operator==(const Video&) const = default;
    };
    using Packet = std::span<const std::uint8_t>;

    [[nodiscard]] bool pull();
    void scan();
    [[nodiscard]] bool changes(Packet packet);
    void read_pat(Packet packet, Packet section);
    [[nodiscard]] static std::vector<Video> videos_in(Packet map);

    ByteSource& source_;
    std::vector<std::uint8_t> buffer_;
    std::size_t at_ = 0;     // handed out
    std::size_t ready_ = 0;  // may be handed out
    bool ended_ = false;
    bool plain_ = false;  // nothing is looked for any more
    bool cut_ = false;    // another part begins at ready_
    int parts_ = 1;
    std::array<std::uint8_t, kPacket> pat_{};
    std::optional<std::uint32_t> map_pid_;
    std::vector<Video> videos_;
};

}  // namespace millrace::media
