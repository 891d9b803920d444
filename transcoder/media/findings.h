#pragma once
// What a run noticed about its segment, and the sentences a broadcaster is told about it.
//
// Thread: any; values and pure functions.

#include "transcoder/media/demuxer.h"

namespace millrace::media {

// Counts that end up as warnings, or as the reason why nothing came out.
struct Findings {
    std::int64_t video_packets = 0;
    bool saw_key_packet = false;
    int damaged_pictures = 0;
    int left_out_pictures = 0;  // need pictures from before the segment
    int captions_lost = 0;      // pairs without a place in a rendition
    int data_dropped = 0;       // timed data beyond its bounds
    int repaired_times = 0;     // pictures that were given a timestamp
    int audio_dropped = 0;      // packets without a header, or that stepped back in time
    Demuxer::Notes source;
};

// Why a segment gives no picture.
[[nodiscard]] Error no_video(const Demuxer& demuxer, const Findings& findings,
                             const Limits& limits);

// One sentence per finding.
[[nodiscard]] std::vector<std::string> warnings_of(const Findings& findings);

}  // namespace millrace::media
