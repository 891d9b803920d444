#pragma once
// A body that is an initialisation part and nothing else ("init.mp4"): kept for the fragments of its
// stream (init_parts.h). It opens no session and costs no slot.
//
// Thread: as ingest.h.

#include <optional>

#include "common/http/exchange.h"
#include "common/http/problem.h"
#include "orchestrator/front/context.h"

namespace millrace::orchestrator {

// What the head decides: nothing that large, or empty, is one.
[[nodiscard]] std::optional<http::Problem> init_refused(const http::Request& request);

// Reads the body, keeps it and answers; BadRequest when it is anything else.
void receive_init(const FrontContextPtr& context, const http::ExchangePtr& exchange,
                  const AccountId& account, const StreamName& stream);

// 200 {"stream", "init_bytes"}.
[[nodiscard]] http::Response init_answer(const StreamName& stream, std::size_t bytes);

}  // namespace millrace::orchestrator
