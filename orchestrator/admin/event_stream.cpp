#include "orchestrator/admin/event_stream.h"

#include <algorithm>

#include "common/http/problem.h"
#include "orchestrator/admin/journal_json.h"

namespace millrace::orchestrator::admin {

EventStream::EventStream(Loop& loop, Journal& journal)
    : loop_(loop), journal_(journal), timer_(loop) {
    journal_.listen([this](const Event& event) {
        if (!watchers_.empty())
            send(event_text(event));
    });
}

EventStream::~EventStream() {
    journal_.listen(nullptr);
}

void EventStream::watch(const http::ExchangePtr& exchange, const std::string& status) {
    if (watchers_.size() >= kWatchersMax)
        return exchange->respond(http::to_response({ApiCode::orchestrator_busy,
                                                    "as many clients watch /events as there can be",
                                                    {},
                                                    kBeatEvery}));
    http::Response head = http::text_response(200, "text/event-stream", status);
    head.headers.set("Cache-Control", "no-store");
    watchers_.push_back(exchange->respond_stream(std::move(head)));
    if (watchers_.size() == 1)
        beat();
}

void EventStream::send(const std::string& piece) {
    std::erase_if(watchers_, [&](const auto& watcher) { return !watcher->write(piece); });
}

void EventStream::beat() {
    send(":\n\n");
    if (!watchers_.empty())
        timer_.set(loop_.now() + kBeatEvery, [this] { beat(); });
}

}  // namespace millrace::orchestrator::admin
