#include "transcoder/commands/report_json.h"

#include <string>

#include <nlohmann/json.hpp>

#include "common/base/hex.h"

namespace millrace::transcoder {
namespace {

using nlohmann::json;

std::string text(Rational rate) {
    return std::to_string(rate.num) + "/" + std::to_string(rate.den);
}

json source_json(const SourceInfo& source) {
    return {{"container", to_string(source.container)},
            {"video", to_string(source.video)},
            {"audio", to_string(source.audio)},
            {"codecs", source.codecs},
            {"width", source.size.width},
            {"height", source.size.height},
            {"frame_rate", text(source.frame_rate)},
            {"frames", source.frames},
            {"pixels", source.pixels},
            {"start_us", source.start_us},
            {"duration_ms", to_ms(source.duration)}};
}

json rendition_json(const RenditionReport& rendition) {
    return {{"name", rendition.name},
            {"container", to_string(rendition.container)},
            {"codecs", rendition.codecs},
            {"width", rendition.size.width},
            {"height", rendition.size.height},
            {"frame_rate", text(rendition.frame_rate)},
            {"frames", rendition.frames},
            {"pixels", rendition.pixels},
            {"duration_ms", to_ms(rendition.duration)},
            {"bytes", rendition.bytes},
            {"bandwidth", rendition.bandwidth},
            {"init_bytes", rendition.init_bytes},
            {"parameter_sets", to_hex(rendition.parameter_sets)},
            {"copied", rendition.copied},
            {"sha256", to_hex(rendition.sha256)}};
}

json splices_json(const std::vector<SpliceMarker>& splices) {
    constexpr const char* kKinds[] = {"command", "out", "in"};
    json all = json::array();
    for (const SpliceMarker& splice : splices)
        all.push_back({{"kind", kKinds[static_cast<std::size_t>(splice.kind)]},
                       {"event_id", splice.event_id},
                       {"start_us", splice.start_us},
                       {"duration_us", splice.duration_us}});
    return all;
}

}  // namespace

json to_json(const TranscodeReport& report) {
    json renditions = json::array();
    for (const RenditionReport& rendition : report.renditions)
        renditions.push_back(rendition_json(rendition));
    json skipped = json::array();
    for (const SkippedRendition& rendition : report.skipped)
        skipped.push_back({{"name", rendition.name}, {"reason", rendition.reason}});
    const StageTimes& times = report.times;
    return {{"source", source_json(report.source)},
            {"renditions", std::move(renditions)},
            {"skipped", std::move(skipped)},
            {"warnings", report.warnings},
            {"splices", splices_json(report.splices)},
            {"times_us",
             {{"decode", times.decode_us},
              {"scale", times.scale_us},
              {"encode", times.encode_us},
              {"total", times.total_us}}}};
}

}  // namespace millrace::transcoder
