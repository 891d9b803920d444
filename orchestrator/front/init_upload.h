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

// Answers once the part that is kept survives a restart: 200 {"stream", "init_bytes"}, or StorageUnavailable.
void answer_kept_init(const FrontContext& context, const http::ExchangePtr& exchange,
                      const AccountId& account, const StreamName& stream, std::size_t bytes);

}  // namespace millrace::orchestrator
