#include "orchestrator/store/rows.h"

#include <nlohmann/json.hpp>

#include "orchestrator/store/store.h"

namespace millrace::orchestrator::store {

RenditionTotals totals_of(const TranscodeReport& report) {
    RenditionTotals totals;
    for (const RenditionReport& rendition : report.renditions) {
        totals.frames += rendition.frames;
        totals.pixels += rendition.pixels;
        totals.bytes += static_cast<std::int64_t>(rendition.bytes);
    }
    return totals;
}

std::string renditions_json(const TranscodeReport& report) {
    using Json = nlohmann::ordered_json;
    Json out = Json::array();
    for (const RenditionReport& rendition : report.renditions)
        out.push_back({{"name", rendition.name},
                       {"width", rendition.size.width},
                       {"height", rendition.size.height},
                       {"frames", rendition.frames},
                       {"pixels", rendition.pixels},
                       {"bytes", rendition.bytes}});
    return out.dump(-1, ' ', true, Json::error_handler_t::replace);
}

CommitRecord commit_record(const Commit& commit, WallTime at) {
    return {commit.segment,         commit.stream,       commit.account, commit.transcoder,
            commit.transcoder_name, commit.source_bytes, commit.report,  at,
            commit.receipt};
}

SessionRow session_row(const PersistSession& session, WallTime at) {
    return {session.session, session.stream, session.account,
            session.ladder,  session.run,    session.last_seq,
            session.has_seq, session.ended,  at};
}

}  // namespace millrace::orchestrator::store
