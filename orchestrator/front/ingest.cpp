#include "orchestrator/front/ingest.h"

#include <charconv>

#include "common/http/problem.h"
#include "orchestrator/front/answer.h"
#include "orchestrator/front/credentials.h"
#include "orchestrator/front/hook_desk.h"
#include "orchestrator/front/incoming_source.h"
#include "orchestrator/front/init_upload.h"
#include "orchestrator/front/ladder_request.h"
#include "orchestrator/front/names.h"
#include "orchestrator/front/watching.h"

namespace millrace::orchestrator {
namespace {

// Playlists that ffmpeg uploads beside its segments are read and dropped.
constexpr std::uint64_t kIgnoredBodyMax = 1024 * 1024;
// A packager sends an initialisation part and its first fragment at the same time, on two connections. A
// fragment that came first waits this long, once it is complete.
constexpr Duration kInitWait = std::chrono::milliseconds(300);

using http::ExchangePtr;
using http::Problem;
using Described = std::variant<UploadRequest, Problem>;

void refuse(const ExchangePtr& exchange, const Problem& problem) {
    exchange->respond(http::to_response(problem));
}

// ---- what the head says -------------------------------------------------------------------------

std::optional<Problem> describe_name(const std::string& stream, const std::string& name,
                                     UploadRequest& upload) {
    if (!valid_stream_name(stream))
        return Problem{ApiCode::bad_request, "a stream name is [A-Za-z0-9._~+-]{1,128}", {}};
    if (!valid_file_name(name))
        return Problem{ApiCode::bad_request, "a segment's name has no slashes in it", {}};
    const auto sequence = sequence_of(name);
    if (const auto* problem = std::get_if<SegmentNameProblem>(&sequence)) {
        if (*problem == SegmentNameProblem::unknown_extension)
            return Problem{ApiCode::unsupported_media_type,
                           "a segment's name ends in .ts, .mp4, .m4s or .webm",
                           {}};
        return Problem{ApiCode::bad_request,
                       "a segment's name has its number before the extension: 7.ts, idx00007.ts",
                       {}};
    }
    upload.stream = {stream};
    upload.seq = std::get<std::uint64_t>(sequence);
    return std::nullopt;
}

std::optional<Problem> describe_caller(const Caller& caller, const FrontContext& context,
                                       UploadRequest& upload) {
    if (auto problem = stream_refused(caller, upload.stream, context))
        return problem;
    upload.fresh_id = random_session_id();
    upload.account = caller.account;
    if (caller.session)
        upload.session = caller.session->session;
    return std::nullopt;
}

// Content-Duration: milliseconds, a claim that only matters until the engine has measured.
std::optional<Problem> describe_duration(const http::Request& request, UploadRequest& upload) {
    const auto field = request.headers.find("Content-Duration");
    if (!field)
        return std::nullopt;
    std::uint32_t ms = 0;
    const auto [end, failure] = std::from_chars(field->data(), field->data() + field->size(), ms);
    if (failure != std::errc{} || end != field->data() + field->size())
        return Problem{
            ApiCode::bad_request, "Content-Duration is a whole number of milliseconds", {}};
    if (ms > 0)
        upload.content_duration = std::chrono::milliseconds(ms);
    return std::nullopt;
}

std::optional<Problem> describe_ladder(const http::Request& request, const FrontContext& context,
                                       UploadRequest& upload) {
    const auto field = request.headers.find("Livepeer-Transcode-Configuration");
    if (!field)
        return std::nullopt;
    LadderRequest ladder = ladder_of_header(*field, context.renditions_max);
    if (auto* mistakes = std::get_if<std::vector<http::ProblemField>>(&ladder))
        return Problem{ApiCode::bad_request,
                       "the ladder in Livepeer-Transcode-Configuration is wrong",
                       std::move(*mistakes)};
    if (!std::get<Ladder>(ladder).empty())
        upload.ladder = std::get<Ladder>(std::move(ladder));
    return std::nullopt;
}

std::optional<Problem> check_length(const http::Request& request, const FrontContext& context) {
    if (!request.has_body)
        return Problem{ApiCode::bad_segment, "the segment is empty", {}};
    if (request.content_length.value_or(0) > context.body_bytes_max)
        return Problem{ApiCode::segment_too_large,
                       "a segment has at most " + std::to_string(context.body_bytes_max) + " bytes",
                       {}};
    return std::nullopt;
}

// The first problem in the contract's order of precedence, as far as the head tells.
Described describe(const http::Request& request, const Caller& caller, const FrontContext& context,
                   const std::string& stream, const std::string& name) {
    UploadRequest upload;
    upload.content_length = request.content_length;
    if (auto problem = describe_name(stream, name, upload))
        return *problem;
    if (auto problem = describe_caller(caller, context, upload))
        return *problem;
    if (auto problem = describe_duration(request, upload))
        return *problem;
    if (auto problem = describe_ladder(request, context, upload))
        return *problem;
    if (auto problem = check_length(request, context))
        return *problem;
    return upload;
}

// ---- the upload ---------------------------------------------------------------------------------

class Upload : public std::enable_shared_from_this<Upload> {
public:
    Upload(FrontContextPtr context, ExchangePtr exchange, Caller caller)
        : context_(std::move(context)),
          exchange_(std::move(exchange)),
          caller_(std::move(caller)),
          multipart_(wants_multipart(exchange_->request())),
          source_(context_->inits, context_->pool) {}

    void begin(UploadRequest request) {
        if (context_->closed)
            return;  // letting go answers
        stream_ = request.stream;
        source_.belongs_to(request.account, request.stream);
        context_->port->begin_upload(std::move(request),
                                     [self = shared_from_this()](const UploadDecision& decision) {
                                         self->decided(decision);
                                     });
    }

private:
    void decided(const UploadDecision& decision) {
        if (const auto* refusal = std::get_if<Refusal>(&decision))
            return exchange_->respond(refusal_answer(*refusal));
        id_ = std::get<UploadAdmitted>(decision).upload;
        http::BodyOptions options;
        options.bytes_max = context_->body_bytes_max;
        options.pool = context_->pool;
        options.tap = [self = shared_from_this()](auto bytes, const auto& owner) {
            self->arrived({owner, bytes});
        };
        exchange_->read_body(std::move(options),
                             [self = shared_from_this()](Result<PayloadPtr> body) {
                                 self->received(std::move(body));
                             });
    }

    void arrived(const Slice& piece) {
        const auto before = std::exchange(state_, source_.add(piece));
        if (state_ == before)
            return;
        if (state_ == IncomingSource::State::garbage)
            refuse_garbage();  // interrupts the body
        else if (state_ == IncomingSource::State::flows && !context_->closed)
            context_->port->upload_arrives(id_, source_.arriving());
    }

    void received(const Result<PayloadPtr>& body) {
        if (!body)
            return abort();
        const auto outcome = source_.finish(*body);
        const auto* nothing = std::get_if<IncomingSource::Nothing>(&outcome);
        if (nothing != nullptr && *nothing == IncomingSource::Nothing::init_missing && !waited_) {
            waited_ = true;
            return exchange_->after(kInitWait,
                                    [self = shared_from_this(), body] { self->received(body); });
        }
        if (nothing != nullptr)
            return nothing_to_do(*nothing, **body);
        const auto& whole = std::get<IncomingSource::Whole>(outcome);
        if (whole.bytes->size() > context_->body_bytes_max)
            return turn_away({ApiCode::segment_too_large,
                              "the fragment and its initialisation part have more than " +
                                  std::to_string(context_->body_bytes_max) + " bytes",
                              {}});
        if (context_->closed)
            return;
        context_->port->finish_upload(
            id_, whole.bytes, whole.sha256,
            [self = shared_from_this()](const Answer& answer) { self->answered(answer); });
    }

    // Complete, and no segment.
    void nothing_to_do(IncomingSource::Nothing why, const Payload& body) {
        switch (why) {
            case IncomingSource::Nothing::garbage:
                refuse_garbage();
                return abort();
            case IncomingSource::Nothing::init_part:
                answer_kept_init(*context_, exchange_, caller_.account, stream_, body.size());
                return abort();
            case IncomingSource::Nothing::init_missing:
                return turn_away(
                    {ApiCode::bad_segment,
                     "the fragment has no initialisation part ('moov'), and none is known for "
                     "this stream: PUT it first, beside the fragment and without a number in its "
                     "name (init.mp4), or put it at the head of the fragment",
                     {}});
        }
    }

    void turn_away(const Problem& problem) {
        refuse(exchange_, problem);
        abort();
    }

    void answered(const Answer& answer) {
        if (const auto* refusal = std::get_if<Refusal>(&answer))
            return exchange_->respond(refusal_answer(*refusal));
        const AnsweredSegment& segment = *std::get<AnsweredSegmentPtr>(answer);
        if (multipart_)
            return exchange_->respond(multipart_answer(segment, random_session_id().value));
        const bool shown = context_->playback != PlaybackAccess::nobody;
        exchange_->respond(json_answer(
            segment, shown ? context_->public_url : std::string(),
            watch_query(segment.stream, caller_.account, caller_.account_key, *context_)));
    }

    void refuse_garbage() {
        refuse(exchange_, {ApiCode::bad_segment, "the bytes are not MPEG-TS, MP4 or WebM", {}});
    }

    void abort() {
        if (!context_->closed)
            context_->port->abort_upload(id_);
    }

    FrontContextPtr context_;
    ExchangePtr exchange_;
    Caller caller_;
    bool multipart_;
    UploadId id_;
    StreamName stream_;
    IncomingSource source_;
    IncomingSource::State state_ = IncomingSource::State::undecided;
    bool waited_ = false;  // for an initialisation part
};

void ignore_body(const FrontContextPtr& context, const ExchangePtr& exchange) {
    exchange->read_body({kIgnoredBodyMax, context->pool, nullptr, true},
                        [exchange](const Result<PayloadPtr>& body) {
                            if (body)
                                exchange->respond(http::text_response(200, "text/plain", ""));
                        });
}

// Goes on where the webhook, if there is one, lets the push in. `request` is made to say what it said.
template <class F>
void when_admitted(const FrontContextPtr& context, const ExchangePtr& exchange,
                   const Caller& caller, std::string_view name, UploadRequest request, F then) {
    if (!caller.ask_hook)
        return then(std::move(request));
    const StreamName pushed = request.stream;
    const std::string url = live_url(*context, pushed) + '/' + http::percent_encode(name);
    context->hook->admit(
        exchange->request(), pushed, url,
        [exchange, then, request = std::move(request)](const HookOutcome& outcome) mutable {
            if (const auto* problem = std::get_if<Problem>(&outcome))
                return refuse(exchange, *problem);
            if (auto problem =
                    apply(std::get<HookAdmission>(outcome), request.stream, request.ladder))
                return refuse(exchange, *problem);
            then(std::move(request));
        });
}

void put_init(const FrontContextPtr& context, const ExchangePtr& exchange, const Caller& caller,
              const http::PathParameters& path) {
    UploadRequest request;
    request.stream = {path["stream"]};
    if (auto problem = describe_caller(caller, *context, request))
        return refuse(exchange, *problem);
    if (auto problem = init_refused(exchange->request()))
        return refuse(exchange, *problem);
    when_admitted(context, exchange, caller, path["name"], std::move(request),
                  [context, exchange](const UploadRequest& admitted) {
                      receive_init(context, exchange, admitted.account, admitted.stream);
                  });
}

void put_segment(const FrontContextPtr& context, const ExchangePtr& exchange, const Caller& caller,
                 const http::PathParameters& path) {
    Described described =
        describe(exchange->request(), caller, *context, path["stream"], path["name"]);
    if (const auto* problem = std::get_if<Problem>(&described))
        return refuse(exchange, *problem);
    when_admitted(
        context, exchange, caller, path["name"], std::get<UploadRequest>(std::move(described)),
        [upload = std::make_shared<Upload>(context, exchange, caller)](UploadRequest request) {
            upload->begin(std::move(request));
        });
}

void put_live(const FrontContextPtr& context, const ExchangePtr& exchange,
              const http::PathParameters& path) {
    const CallerOrProblem found = caller_of(exchange->request(), *context);
    if (const auto* problem = std::get_if<Problem>(&found))
        return refuse(exchange, *problem);
    const auto& caller = std::get<Caller>(found);
    const std::string& name = path["name"];
    const bool valid = valid_file_name(name) && valid_stream_name(path["stream"]);
    if (valid && is_playlist_name(name))
        return ignore_body(context, exchange);
    if (valid && is_init_name(name))
        return put_init(context, exchange, caller, path);
    put_segment(context, exchange, caller, path);
}

}  // namespace

void add_ingest_routes(http::Router& router, const FrontContextPtr& context) {
    const auto put = [context](const ExchangePtr& exchange, const http::PathParameters& path) {
        put_live(context, exchange, path);
    };
    router.on(http::Method::put, "/live/{stream}/{name}", put);
    router.on(http::Method::post, "/live/{stream}/{name}", put);
    // ffmpeg deletes segments that leave its own playlist; ours leave by themselves.
    router.on(http::Method::del, "/live/{stream}/{name}",
              [context](const ExchangePtr& exchange, const http::PathParameters& path) {
                  const CallerOrProblem caller = caller_of(exchange->request(), *context);
                  if (const auto* problem = std::get_if<Problem>(&caller))
                      return refuse(exchange, *problem);
                  if (!valid_stream_name(path["stream"]) || !valid_file_name(path["name"]))
                      return refuse(exchange, {ApiCode::bad_request, "no such names", {}});
                  exchange->respond(http::text_response(200, "text/plain", ""));
              });
}

}  // namespace millrace::orchestrator
