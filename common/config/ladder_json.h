#pragma once
// The JSON dialect of ladders: go-livepeer's, as it is, with our additions (contract.md, section
// 3).
//
// A rendition is an object with
//   name          default custom_WIDTHxHEIGHT_BITRATE (go-livepeer's); [A-Za-z0-9._~+-]{1,64},
//   unique width height  pixels, the larger box; 0 or absent = follows from the other, both 0 = the
//   source's bitrate       bit/s; may be left out when quality is given fps fpsDen    frames per
//   second as a fraction; 0 or absent = the source's profile       "H264Baseline" "H264Main"
//   "H264High" "H264ConstrainedHigh" "None" gop           "intra", or seconds as a string or a
//   number; "0.0" (MistServer's) = the default encoder       "H.264" (default) "HEVC" "VP9" "AV1"
//   colorDepth    bits: 8, 10; go-livepeer counts from 8, so 0 and 2 say the same
//   chromaFormat  0 = 4:2:0, 1 = 4:2:2, 2 = 4:4:4
//   quality       CRF, 1..51 (VP9 and AV1: 63); 0 or absent = not given
// and ours
//   container     "mpegts" (default) "mp4"
//   audio         "copy" (default) "aac" "opus" "none", or {codec, bitrate, rate, channels}
//   preset        an encoder's speed: "ultrafast".."veryslow", "p1".."p7"
//   upscale       "allow" (default) "never"
//   bypass        "never" (default) "if-fits"
//   data          "pass" (default) "drop"
//   scaling       "direct" (default) "cascaded"
// null means "not given". Unknown keys, wrong types and values outside their range are mistakes;
// all of them are reported. Whether this version can do what the ladder asks is another question,
// put by whoever accepts a ladder to common/domain/supported.h.
//
// Thread: any.

#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "common/config/field_error.h"
#include "common/domain/rendition.h"

namespace millrace::config {

inline constexpr std::string_view kDefaultLadder = "P240p30fps16x9,P360p30fps16x9";

// A JSON array of renditions. Paths of mistakes are like "[1].bitrate".
[[nodiscard]] Parsed<Ladder> parse_ladder(std::string_view json);

// The same for a value inside a larger document; `at` is its path there ("ladder" gives
// "ladder[1].bitrate").
[[nodiscard]] Parsed<Ladder> read_ladder(const nlohmann::json& value, std::string_view at);

// The header Livepeer-Transcode-Configuration: go-livepeer's object with "profiles" (renditions) or
// "presets" (names), other keys ignored as go-livepeer does; a bare array of renditions as well.
[[nodiscard]] Parsed<Ladder> parse_transcode_configuration(std::string_view json);

// What --ladder takes: preset names separated by commas, else the path of a JSON file.
[[nodiscard]] Parsed<Ladder> parse_ladder_option(std::string_view file_or_names);

// One line of JSON that parse_ladder reads back to an equal ladder.
[[nodiscard]] std::string to_json(const Ladder& ladder);

}  // namespace millrace::config
