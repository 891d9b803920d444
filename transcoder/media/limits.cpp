#include "transcoder/media/limits.h"

#include "common/domain/supported.h"

namespace millrace::media {
namespace {

bool within(Size size, Size box) {
    return (size.width <= box.width && size.height <= box.height) ||
           (size.width <= box.height && size.height <= box.width);
}

}  // namespace

std::string text(Size size) {
    return std::to_string(size.width) + "x" + std::to_string(size.height);
}

Result<void> check_ladder(const TranscodeRequest& request) {
    if (request.ladder.empty())
        return error(ErrorKind::unsupported, "the ladder is empty");
    if (request.ladder.size() > request.limits.renditions)
        return error(ErrorKind::unsupported, "the ladder has more than " +
                                                 std::to_string(request.limits.renditions) +
                                                 " renditions");
    std::string all;
    for (const FieldProblem& problem : unsupported_fields(request.ladder))
        all += (all.empty() ? "" : "; ") + problem.path + ": " + problem.detail;
    return all.empty() ? Result<void>() : Result<void>(error(ErrorKind::unsupported, all));
}

Result<void> check_picture(Size size, const Limits& limits) {
    if (within(size, limits.picture))
        return {};
    return error(ErrorKind::bad_input,
                 "the picture is " + text(size) + ", more than " + text(limits.picture));
}

Result<void> check_frames(std::int64_t frames, const Limits& limits) {
    if (frames <= limits.frames)
        return {};
    return error(ErrorKind::bad_input,
                 "the segment has more than " + std::to_string(limits.frames) + " frames");
}

Result<void> check_length(Ticks length, const Limits& limits) {
    if (to_duration(length) <= limits.duration)
        return {};
    return error(ErrorKind::bad_input, "the segment is longer than " +
                                           std::to_string(to_ms(limits.duration) / 1000) + " s");
}

}  // namespace millrace::media
