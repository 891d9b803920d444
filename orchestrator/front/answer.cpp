#include "orchestrator/front/answer.h"

#include <algorithm>
#include <ctime>

#include <nlohmann/json.hpp>

#include "common/http/target.h"
#include "orchestrator/front/playlist.h"
#include "orchestrator/front/playlist_text.h"

namespace millrace::orchestrator {
namespace {

using Json = nlohmann::ordered_json;

std::string_view media_type(Container container) {
    return container == Container::mp4 ? "video/mp4" : "video/mp2t";
}

std::string part_head(const AnsweredSegment& segment, const RenditionReport& report,
                      std::uint64_t bytes, const std::string& boundary) {
    const std::string file = report.name + '_' + std::to_string(segment.key.seq) + '.' +
                             std::string(extension(report.container));
    return "--" + boundary + "\r\nContent-Type: " + std::string(media_type(report.container)) +
           "\r\nContent-Length: " + std::to_string(bytes) + "\r\nRendition-Name: " + report.name +
           "\r\nContent-Disposition: attachment; filename=\"" + file + "\"\r\n\r\n";
}

std::string url_of(const AnsweredSegment& segment, const RenditionReport& report,
                   const std::string& public_url) {
    return public_url + "/stream/" + http::percent_encode(segment.stream.value) + '/' +
           http::percent_encode(report.name) + '/' + segment_name(segment.key) + '.' +
           std::string(extension(report.container));
}

Json rendition_json(const AnsweredSegment& segment, const RenditionReport& report,
                    const std::string& public_url, const std::string& query) {
    Json json{{"name", report.name}};
    if (!public_url.empty())
        json["url"] = url_of(segment, report, public_url) + query;
    json["bytes"] = report.bytes;
    json["pixels"] = report.pixels;
    json["frames"] = report.frames;
    json["width"] = report.size.width;
    json["height"] = report.size.height;
    return json;
}

double milliseconds(std::int64_t us) {
    return static_cast<double>(us) / 1000;
}

Json timings_json(const AnsweredSegment& segment) {
    const StageTimes& times = segment.report.times;
    return {{"queued_ms", to_ms(segment.queued)},
            {"total_ms", to_ms(segment.total)},
            {"transcode_ms", milliseconds(times.total_us)},
            {"decode_cpu_ms", milliseconds(times.decode_us)},
            {"scale_cpu_ms", milliseconds(times.scale_us)},
            {"encode_cpu_ms", milliseconds(times.encode_us)}};
}

}  // namespace

bool wants_multipart(const http::Request& request) {
    static constexpr std::string_view kWanted = "multipart/mixed";
    for (const auto& [name, value] : request.headers) {
        if (!http::same_ignoring_case(name, "Accept"))
            continue;
        for (std::size_t at = 0; at + kWanted.size() <= value.size(); ++at)
            if (http::same_ignoring_case(std::string_view(value).substr(at, kWanted.size()),
                                         kWanted))
                return true;
    }
    return false;
}

http::Response multipart_answer(const AnsweredSegment& segment, const std::string& boundary) {
    http::Response response;
    response.headers.set("Content-Type", "multipart/mixed; boundary=" + boundary);
    const auto& reports = segment.report.renditions;
    for (std::size_t i = 0; i < std::min(reports.size(), segment.renditions.size()); ++i) {
        const std::uint64_t bytes = segment.renditions[i]->size();
        response.body.emplace_back((i == 0 ? "" : "\r\n") +
                                   part_head(segment, reports[i], bytes, boundary));
        response.body.emplace_back(segment.renditions[i]);
    }
    response.body.emplace_back((response.body.empty() ? "--" : "\r\n--") + boundary + "--\r\n");
    return response;
}

http::Response json_answer(const AnsweredSegment& segment, const std::string& public_url,
                           const std::string& query) {
    Json json{{"session_id", segment.key.session.value},
              {"run", segment.key.run},
              {"seq", segment.key.seq},
              {"renditions", Json::array()},
              {"skipped", Json::array()},
              {"warnings", segment.report.warnings}};
    for (const RenditionReport& report : segment.report.renditions)
        json["renditions"].push_back(rendition_json(segment, report, public_url, query));
    for (const SkippedRendition& skipped : segment.report.skipped)
        json["skipped"].push_back(Json{{"name", skipped.name}, {"reason", skipped.reason}});
    json["timings"] = timings_json(segment);
    return http::text_response(200, "application/json",
                               json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
}

http::Response refusal_answer(const Refusal& refusal) {
    return http::to_response({refusal.code, refusal.detail, {}, refusal.retry_after});
}

std::string rfc3339(WallTime time) {
    const auto seconds = static_cast<std::time_t>(time.ms / 1000);
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char text[40];
    return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

std::string to_text(const Payload& body) {
    std::string text(body.size(), '\0');
    body.read(0, {reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
    return text;
}

}  // namespace millrace::orchestrator
