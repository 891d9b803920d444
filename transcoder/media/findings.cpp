#include "transcoder/media/findings.h"

#include "transcoder/media/limits.h"

namespace millrace::media {
namespace {

Error no_stream(const Demuxer& demuxer) {
    std::string found = demuxer.audio() == nullptr ? "no audio or video stream"
                                                   : "only an " + demuxer.audio()->label;
    if (!demuxer.foreign().empty())
        found = "a " + demuxer.foreign();
    return error(ErrorKind::bad_input,
                 "expected H.264, HEVC, VP8, VP9, AV1 or MPEG-2 video, found " + found);
}

std::string why_nothing_decodes(const VideoStream& video, const Findings& findings) {
    std::string why =
        "none of its " + std::to_string(findings.video_packets) + " packets could be decoded";
    if (video.parameters->width <= 0)
        return why + ", its parameter sets (SPS, PPS) are missing";
    if (!findings.saw_key_packet)
        return why + ", there is no key frame among them";
    if (findings.damaged_pictures > 0)
        return why + ", " + std::to_string(findings.damaged_pictures) + " are damaged";
    return why;
}

}  // namespace

Error no_video(const Demuxer& demuxer, const Findings& findings, const Limits& limits) {
    const VideoStream* video = demuxer.video();
    if (video == nullptr)
        return no_stream(demuxer);
    if (findings.video_packets == 0)
        return error(ErrorKind::bad_input,
                     video->label + ": expected pictures, but no packet of it is in the segment");
    const Size said{video->parameters->width, video->parameters->height};
    if (const auto checked = check_picture(said, limits); !checked)
        return checked.error();
    return error(ErrorKind::bad_input, video->label + ": expected pictures, but " +
                                           why_nothing_decodes(*video, findings));
}

std::vector<std::string> warnings_of(const Findings& findings) {
    const Demuxer::Notes& source = findings.source;
    std::vector<std::string> out;
    const auto counted = [&out](auto count, const char* before, const char* after) {
        if (count > 0)
            out.push_back(before + std::to_string(count) + after);
    };
    if (source.cut_inside)
        out.emplace_back("the segment ends inside a transport packet: it was cut off");
    for (const std::string& stream : source.left_out)
        out.push_back("the " + stream + " is left out");
    counted(source.events_left_out, "",
            " event messages are neither ID3 nor SCTE 35, or damaged, and were left out");
    counted(source.damaged_packets, "transport packets are missing or damaged in ", " places");
    counted(findings.damaged_pictures, "", " video pictures are damaged");
    counted(findings.left_out_pictures, "",
            " pictures at the start need pictures from before the segment and were left out");
    counted(findings.captions_lost, "", " pairs of captions found no place in a rendition");
    counted(findings.data_dropped, "", " packets of timed data are too many and were left out");
    counted(source.jumps, "the clock jumped ", " times; times were made continuous");
    counted(findings.repaired_times, "", " pictures had no usable timestamp and were given one");
    counted(findings.audio_dropped, "",
            " audio packets are damaged or stepped back in time and were left out");
    return out;
}

}  // namespace millrace::media
