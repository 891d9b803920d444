#pragma once
// What a broadcaster gets back for a segment: the renditions themselves (multipart/mixed), or a JSON
// document that says where they are. Payload bytes are shared, not copied.
//
// Thread: any; pure.

#include <string>
#include <string_view>

#include "common/http/message.h"
#include "common/http/problem.h"
#include "orchestrator/core/effects.h"
#include "orchestrator/front/answered_segment.h"

namespace millrace::orchestrator {

[[nodiscard]] bool wants_multipart(const http::Request& request);

// `boundary`: 1..70 characters that do not occur in any rendition; random in production.
[[nodiscard]] http::Response multipart_answer(const AnsweredSegment& segment,
                                              const std::string& boundary);

// `public_url` without a final slash; empty leaves the URLs out (playback is off). `query` ("?token=…", or
// empty) ends every URL.
[[nodiscard]] http::Response json_answer(const AnsweredSegment& segment,
                                         const std::string& public_url,
                                         const std::string& query = {});

[[nodiscard]] http::Response refusal_answer(const Refusal& refusal);

// "2026-11-22T17:05:00Z".
[[nodiscard]] std::string rfc3339(WallTime time);
// A body as one text.
[[nodiscard]] std::string to_text(const Payload& body);

}  // namespace millrace::orchestrator
