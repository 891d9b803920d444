#pragma once
// EventStream: GET /events, what the journal tells, as server-sent events, to at most kWatchersMax clients.
//
// Who connects gets `status` (the document of /status) first and then what happens from there on: `transcoder`,
// `session`, `segment`. A client that falls more than http::kStreamQueueBytes behind is let go; a browser's
// EventSource comes back by itself and begins with a fresh `status`. A comment every kBeatEvery tells a dead
// connection from a quiet night.
//
// Thread: orchestrator loop. Owner: AdminServer.

#include <memory>
#include <string>
#include <vector>

#include "common/http/exchange.h"
#include "common/runtime/loop.h"
#include "orchestrator/journal/journal.h"

namespace millrace::orchestrator::admin {

inline constexpr std::size_t kWatchersMax = 32;
inline constexpr Duration kBeatEvery = std::chrono::seconds(15);

class EventStream {
public:
    // Listens to the journal until destroyed.
    EventStream(Loop& loop, Journal& journal);
    ~EventStream();
    EventStream(const EventStream&) = delete;
    EventStream& operator=(const EventStream&) = delete;

    // Answers the exchange: the stream, beginning with `status`, or 503 when there are too many.
    void watch(const http::ExchangePtr& exchange, const std::string& status);

private:
    void send(const std::string& piece);
    void beat();

    Loop& loop_;
    Journal& journal_;
    Timer timer_;
    std::vector<std::shared_ptr<http::ResponseStream>> watchers_;
};

}  // namespace millrace::orchestrator::admin
