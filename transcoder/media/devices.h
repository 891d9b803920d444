#pragma once
// What this machine and this FFmpeg can really do: every decoder is opened and every encoder makes
// a picture, since one that is compiled in may lack its driver or device.
//
// Thread: main, before others start (survey() sets SVT_LOG in the environment). capabilities()
// takes a tenth of a second, survey() up to one.

#include <string>
#include <vector>

#include "common/domain/capacity.h"

namespace millrace::media {

struct Ability {
    std::string kind;   // "video decoder", "audio encoder", "filter", ...
    std::string codec;  // "h264"; of a filter what it serves
    std::string name;   // FFmpeg's, "libx264"
    bool works = false;
    bool used = false;   // this version of the pipeline takes it
    std::string reason;  // why it does not work, or is not used
};

struct Survey {
    std::string cpu;     // model name
    std::string ffmpeg;  // version
    std::vector<Ability> abilities;
    Capabilities capabilities;  // what works and is used: what a transcoder advertises
};

[[nodiscard]] Survey survey();
[[nodiscard]] std::string ffmpeg_version();
// The survey's capabilities alone: tries only what this version uses.
[[nodiscard]] Capabilities capabilities();

}  // namespace millrace::media
