#include "orchestrator/front/init_upload.h"

#include <nlohmann/json.hpp>

#include "orchestrator/front/incoming_source.h"

namespace millrace::orchestrator {
namespace {

using http::Problem;

Problem no_init() {
    return {
        ApiCode::bad_request,
        "a segment's name has its number before the extension: 7.ts, idx00007.ts; without one it "
        "is "
        "an initialisation part, 'ftyp' and 'moov' (with 'mvex') and nothing else, of at most " +
            std::to_string(kInitBytesMax) + " bytes",
        {}};
}

void keep_init(const FrontContext& context, const http::ExchangePtr& exchange,
               const AccountId& account, const StreamName& stream, const Payload& body,
               const BoxWalk& boxes) {
    const auto init = boxes.only_init() ? init_part_of(body, boxes) : std::vector<std::uint8_t>();
    if (init.empty())
        return exchange->respond(http::to_response(no_init()));
    if (!context.inits->keep(account, stream, init))
        return exchange->respond(http::to_response(
            {ApiCode::orchestrator_busy,
             "no room for a further initialisation part; put it at the head of each fragment",
             {},
             kInitInUse}));
    answer_kept_init(context, exchange, account, stream, init.size());
}

http::Response init_answer(const StreamName& stream, std::size_t bytes) {
    const nlohmann::ordered_json answer{{"stream", stream.value}, {"init_bytes", bytes}};
    return http::text_response(200, "application/json", answer.dump() + "\n");
}

}  // namespace

std::optional<Problem> init_refused(const http::Request& request) {
    const bool possible = request.has_body && request.content_length.value_or(1) <= kInitBytesMax;
    return possible ? std::nullopt : std::optional(no_init());
}

void receive_init(const FrontContextPtr& context, const http::ExchangePtr& exchange,
                  const AccountId& account, const StreamName& stream) {
    const auto boxes = std::make_shared<BoxWalk>();
    http::BodyOptions options{kInitBytesMax, context->pool};
    options.tap = [exchange, boxes](auto bytes, const auto&) {
        boxes->feed(bytes);
        if (!boxes->may_be_init())
            exchange->respond(http::to_response(no_init()));  // interrupts the body
    };
    exchange->read_body(std::move(options), [context, exchange, account, stream,
                                             boxes](const Result<PayloadPtr>& body) {
        if (body)
            keep_init(*context, exchange, account, stream, **body, *boxes);
    });
}

void answer_kept_init(const FrontContext& context, const http::ExchangePtr& exchange,
                      const AccountId& account, const StreamName& stream, std::size_t bytes) {
    context.inits->make_durable(account, stream, [exchange, stream, bytes](bool durable) {
        exchange->respond(durable ? init_answer(stream, bytes)
                                  : http::to_response({ApiCode::storage_unavailable,
                                                       "the data directory cannot be written",
                                                       {},
                                                       std::chrono::seconds(5)}));
    });
}

}  // namespace millrace::orchestrator
