#include "tests/sim/broadcaster.h"

#include <algorithm>
#include <utility>

namespace millrace::sim {

namespace {

constexpr Duration kTooOld = seconds(10);  // a segment this old is skipped, as players would
constexpr std::uint64_t kBytesPerMs = 150;
// Inside the window of contract.md section 2 ("answered segments are kept at least 30 s").
constexpr Duration kSureReplay = seconds(25);

std::string digits(Rng& rng) {
    constexpr std::string_view kHex = "0123456789abcdef";
    std::string id(32, '0');
    for (auto& c : id)
        c = kHex[rng.below(16)];
    return id;
}

// One to four renditions; some fall away because they are larger than the source.
Ladder any_ladder(Rng& rng) {
    Ladder ladder(1 + rng.below(4));
    for (std::size_t i = 0; i < ladder.size(); ++i) {
        ladder[i].name = "r" + std::to_string(i);
        ladder[i].width = static_cast<std::int32_t>(320 + 2 * rng.below(640));
        ladder[i].upscale = rng.chance(0.5) ? Upscale::never : Upscale::allow;
        ladder[i].container = rng.chance(0.5) ? Container::mpegts : Container::mp4;
    }
    return ladder;
}

}  // namespace

Broadcaster::Broadcaster(Context& context, OrchestratorNode& orchestrator, unsigned index)
    : context_(context),
      orchestrator_(orchestrator),
      index_(index),
      stream_{"stream-" + std::to_string(index)},
      pace_(context.between(seconds(1), seconds(4))),
      prankster_(context.options.misbehave > 0) {
    if (context.rng.chance(0.5))
        ladder_ = any_ladder(context.rng);
}

void Broadcaster::violated(const std::string& what) const {
    throw Violation("b" + std::to_string(index_) + ": " + what);
}

void Broadcaster::start() {
    context_.queue.in(context_.between(Duration{0}, seconds(5)), [this] { tick(); });
}

void Broadcaster::stop() {
    stopped_ = true;
    // An upload that is on its way just now opens a session of its own.
    for (const auto after : {seconds(0), seconds(2), seconds(8)})
        context_.queue.in(after, [this] { orchestrator_.end_session_of(stream_); });
}

BlobPtr Broadcaster::make_blob() {
    Blob blob;
    blob.sha256 = model_hash(mix(context_.options.seed, index_), ++blobs_);
    blob.bytes = kBytesPerMs * static_cast<std::uint64_t>(to_ms(pace_));
    blob.duration = pace_;
    return std::make_shared<const Blob>(blob);
}

void Broadcaster::tick() {
    if (stopped_ || context_.now() >= context_.options.pushes_end())
        return;
    Duration wait = pace_;
    if (prankster_ && !context_.calm && context_.rng.chance(context_.options.misbehave))
        prank();
    if (prankster_ && !context_.calm && context_.rng.chance(context_.options.misbehave / 4))
        // Idle, perhaps ended by the time it is back; all are back in the calm.
        wait = std::min(wait + context_.between(seconds(5), seconds(90)),
                        context_.options.faults_end() + pace_ - context_.now());
    const Segment segment{next_seq_++, make_blob(), context_.now()};
    last_ = segment;
    push(segment);
    context_.queue.in(wait, [this] { tick(); });
}

void Broadcaster::prank() {
    switch (context_.rng.below(5)) {
        case 0:  // the same bytes again, while they are in flight or answered
            if (last_)
                again(*last_, context_.between(Duration{0}, seconds(6)));
            break;
        case 1:  // other bytes under the same number
            if (last_)
                push({last_->seq, make_blob(), context_.now()});
            break;
        case 2:  // the source restarts
            next_seq_ = context_.rng.below(3);
            break;
        case 3:  // a body that is cut short
            push({next_seq_, make_blob(), context_.now()}, true);
            break;
        default:
            orchestrator_.end_session_of(stream_);
            break;
    }
}

void Broadcaster::push(const Segment& segment, bool cut_short) {
    ++outstanding_;
    orchestrator::UploadRequest request;
    request.stream = stream_;
    request.fresh_id = SessionId{digits(context_.rng)};
    request.seq = segment.seq;
    request.ladder = ladder_;
    if (context_.rng.chance(0.7))
        request.content_length = segment.blob->bytes;
    if (context_.rng.chance(0.5))
        request.content_duration = segment.blob->duration;
    context_.note('b', index_, "push", segment.seq, short_hash(segment.blob->sha256));
    orchestrator_.upload(request, segment.blob,
                         context_.between(milliseconds(5), milliseconds(300)), cut_short,
                         [this, segment, cut_short](const Reply& reply) {
                             --outstanding_;
                             if (!cut_short)
                                 replied(segment, reply);
                         });
}

void Broadcaster::again(const Segment& segment, Duration in) {
    context_.queue.in(in, [this, segment] {
        if (!stopped_ && context_.now() < context_.options.pushes_end() &&
            context_.now() < segment.made + kTooOld)
            push(segment);
    });
}

void Broadcaster::replied(const Segment& segment, const Reply& reply) {
    if (const auto* answer = std::get_if<Answered>(&reply))
        answered(segment, *answer);
    else if (const auto* refusal = std::get_if<orchestrator::Refusal>(&reply))
        refused(segment, *refusal);
    else
        again(segment, context_.between(milliseconds(50), seconds(1)));
}

void Broadcaster::answered(const Segment& segment, const Answered& answer) {
    context_.note('b', index_, "answer", segment.seq, answer.content);
    if (answer.segment.sha256 != segment.blob->sha256 || answer.segment.seq != segment.seq)
        violated("got the answer to another segment");
    if (context_.calm)
        ++calm_answers_;
    const Seen now_seen{answer.segment, answer.content, orchestrator_.tally().starts,
                        context_.now()};
    const auto [seen, first] = seen_.emplace(segment.blob->sha256, now_seen);
    if (first)
        return;
    const Seen before = std::exchange(seen->second, now_seen);
    const bool surely_kept =
        before.starts == now_seen.starts && context_.now() < before.at + kSureReplay;
    // Another session or run is another segment, also when its bytes are the same.
    if (surely_kept && before.segment == answer.segment && before.content != answer.content)
        violated("a repeat got another answer inside the window");
}

void Broadcaster::refused(const Segment& segment, const orchestrator::Refusal& refusal) {
    context_.note('b', index_, "refused", segment.seq, static_cast<std::uint64_t>(refusal.code));
    switch (refusal.code) {
        case ApiCode::conflict:
        case ApiCode::not_found:
            if (!prankster_ && !stopped_)
                violated("did nothing wrong and was told: " + refusal.detail);
            return;
        case ApiCode::bad_segment:
        case ApiCode::transcode_failed:
        case ApiCode::deadline_exceeded:
            return;  // it is late anyway
        case ApiCode::orchestrator_busy:
        case ApiCode::orchestrator_capped:
        case ApiCode::no_transcoders:
        case ApiCode::no_compatible_transcoders:
        case ApiCode::storage_unavailable:
        case ApiCode::shutting_down:
        case ApiCode::stake_inactive:
            return again(segment, refusal.retry_after.value_or(seconds(1)));
        default:
            violated("unexpected refusal: " + refusal.detail);
    }
}

}  // namespace millrace::sim
