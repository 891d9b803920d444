#include "common/domain/stages_used.h"

namespace millrace {

void StageCounts::add(const StagesUsed& used) {
    segments.at(static_cast<std::size_t>(used.decoded)) += 1;
    for (const EncodedBy by : used.encoded)
        renditions.at(static_cast<std::size_t>(by)) += 1;
    scaled += used.scaled;
    downloads += used.downloads;
    uploads += used.uploads;
    const auto keep_last = [](std::string& last, const std::string& reason) {
        if (!reason.empty())
            last = reason;
    };
    keep_last(decode_reason, used.decode_reason);
    keep_last(scale_reason, used.scale_reason);
    keep_last(encode_reason, used.encode_reason);
}

}  // namespace millrace
