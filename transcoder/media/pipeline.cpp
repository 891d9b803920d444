#include "transcoder/media/pipeline.h"

#include <algorithm>

#include "transcoder/media/cascade.h"
#include "transcoder/media/codec_string.h"
#include "transcoder/media/cpu_timer.h"
#include "transcoder/media/display.h"
#include "transcoder/media/encoder_options.h"
#include "transcoder/media/limits.h"

namespace millrace::media {
namespace {

// Packets of video per allowed frame at which reading stops: some encoders put the two fields of a
// frame into packets of their own.
constexpr std::int64_t kPacketsPerFrame = 2;
constexpr std::size_t kEarlyAudioMax = PacketQueue::kWaitingMax;

// AAC without headers of its own (no AudioSpecificConfig) has to bring one in every packet.
bool is_headless(const AVCodecParameters& parameters, const AVPacket& packet) {
    constexpr int kAdtsHeader = 7;
    return parameters.codec_id == AV_CODEC_ID_AAC && parameters.extradata_size == 0 &&
           (packet.size < kAdtsHeader || packet.data[0] != 0xff || (packet.data[1] & 0xf0) != 0xf0);
}

// Why a rendition of that source falls away; empty: it does not.
std::string why_left_out(const RenditionSpec& spec, Size source) {
    const Size size = fit(spec, source);
    if (falls_away(spec, source))
        return text(size) + " is larger than the source's " + text(source);
    // A broad source in a small box: this rendition cannot be made, the others can.
    if (const std::int32_t least = least_side(spec.codec);
        std::min(size.width, size.height) < least)
        return text(size) + " is too small for " + std::string(to_string(spec.codec)) + ": " +
               std::to_string(least) + " pixels a side at least";
    return {};
}

// What a picture keeps in memory while it waits.
std::size_t picture_bytes(const AVFrame& picture) {
    const int bytes = av_image_get_buffer_size(static_cast<AVPixelFormat>(picture.format),
                                               picture.width, picture.height, 1);
    return static_cast<std::size_t>(std::max(bytes, 0));
}

}  // namespace

Pipeline::Pipeline(ByteSource& source, const TranscodeRequest& request, TranscodeObserver& observer,
                   const CancelToken& cancel)
    : source_(source),
      request_(request),
      observer_(observer),
      cancel_(cancel),
      may_copy_(std::ranges::any_of(
          request.ladder, [](const auto& spec) { return spec.bypass == Bypass::if_fits; })),
      started_(std::chrono::steady_clock::now()) {}

Pipeline::~Pipeline() {
    // The reader may wait for bytes or for room; neither will come any more.
    source_.stop();
    queue_.abandon();
}

Result<TranscodeReport> Pipeline::run() {
    MR_TRY(check_ladder(request_));
    MR_TRY(open());
    reader_ = std::jthread([this](std::stop_token stop) { read_packets(std::move(stop)); });
    MR_TRY(take_packets());
    return finish();
}

Result<void> Pipeline::open() {
    // Looking into a large segment takes its time on a machine that is busy.
    auto demuxer =
        Demuxer::open(source_, request_.limits, cancel_, [this] { observer_.progress(progress_); });
    if (!demuxer)
        return demuxer.error();
    demuxer_ = std::move(*demuxer);
    data_.emplace(demuxer_->data());
    SourceInfo& info = report_.source;
    info.container = demuxer_->container();
    if (const VideoStream* video = demuxer_->video(); video != nullptr) {
        const AVCodecParameters& parameters = *video->parameters;
        info.video = av::video_codec(parameters.codec_id);
        info.size = {parameters.width, parameters.height};
        info.frame_rate = video->rate.rate;
        info.codecs = codec_string(parameters);
        auto opened = VideoSource::open(*video, info.container, request_.limits, request_.threads,
                                        request_.gpu);
        if (!opened)
            return opened.error();
        video_ = std::move(*opened);
    }
    if (const AudioStream* audio = demuxer_->audio(); audio != nullptr) {
        info.audio = av::audio_codec(audio->parameters->codec_id);
        info.codecs = join_codecs(info.codecs, codec_string(*audio->parameters));
    }
    if (demuxer_->video() == nullptr &&
        (demuxer_->audio() == nullptr || !request_.allow_audio_only))
        return no_video();
    observer_.probed(info);
    return {};
}

void Pipeline::Extent::add(const AVPacket& packet) {
    ++packets;
    if (packet.pts == AV_NOPTS_VALUE)
        return;
    first = std::min(first.value_or(packet.pts), Ticks{packet.pts});
    end = std::max(packets == 1 ? packet.pts : end, packet.pts + packet.duration);
}

void Pipeline::read_packets(std::stop_token stop) {
    while (!stop.stop_requested()) {
        auto packet = demuxer_->read();
        if (!packet)
            return queue_.finish(packet.error());
        if (!packet->data)
            break;
        if (packet->lane != Lane::data)
            extents_[static_cast<std::size_t>(packet->lane)].add(*packet->data);
        if (auto checked = check_extents(); !checked)
            return queue_.finish(checked.error());
        if (!queue_.push(std::move(*packet)))
            return;
    }
    known_length_ = std::max<Ticks>(extents_[extents_[0].packets > 0 ? 0 : 1].length(), 1);
    queue_.finish({});
}

Result<void> Pipeline::check_extents() const {
    const Limits& limits = request_.limits;
    MR_TRY(check_frames((extents_[0].packets + 1) / kPacketsPerFrame, limits));
    for (const Extent& extent : extents_)
        MR_TRY(check_length(extent.length(), limits));
    return {};
}

// Told once, as soon as the reader is through: deadlines hang on it.
void Pipeline::announce_duration() {
    const Ticks length = known_length_;
    if (announced_ || length <= 0)
        return;
    announced_ = true;
    SourceInfo info = report_.source;
    info.duration = to_duration(length);
    observer_.probed(info);
}

Result<void> Pipeline::take_packets() {
    while (true) {
        auto packet = queue_.pop();
        if (!packet)
            return packet.error();
        announce_duration();
        MR_TRY(pulse());
        if (!packet->data)
            return video_ ? decode(nullptr) : Result<void>();
        MR_TRY(take_packet(std::move(*packet)));
    }
}

Result<void> Pipeline::take_packet(Demuxer::Packet packet) {
    switch (packet.lane) {
        case Lane::audio:
            return on_audio(std::move(packet.data));
        case Lane::data:
            data_->add(*packet.data, packet.data_stream, decoded_at_);
            return {};
        default:
            if (packet.data->dts != AV_NOPTS_VALUE)
                decoded_at_ = packet.data->dts;
            return decode(packet.data.get());
    }
}

// Players and muxers want rising times; audio that steps back has been heard already.
Result<void> Pipeline::on_audio(av::PacketPtr packet) {
    if (packet->pts == AV_NOPTS_VALUE && last_audio_)
        packet->pts = audio_end_;
    if (packet->pts == AV_NOPTS_VALUE || (last_audio_ && packet->pts <= *last_audio_) ||
        is_headless(*demuxer_->audio()->parameters, *packet)) {
        ++findings_.audio_dropped;
        return {};
    }
    packet->dts = packet->pts;
    last_audio_ = packet->pts;
    audio_end_ = packet->pts + packet->duration;
    sound_tail_.add(*packet);
    if (!workshop_) {
        if (early_audio_.size() >= kEarlyAudioMax)
            return error(ErrorKind::bad_input, "too much audio before the first picture");
        early_audio_.push_back(std::move(packet));
        return {};
    }
    for (std::size_t n = 0; n < plans_.size(); ++n)
        workshop_->push_audio(n, *packet);
    return {};
}

Result<void> Pipeline::decode(const AVPacket* packet) {
    std::int64_t& decode_us = report_.times.decode_us;
    if (packet != nullptr)
        offer_source(*packet);
    MR_TRY(video_->send(packet, decode_us));
    while (true) {
        const auto picture = video_->next(decode_us);
        if (!picture)
            return picture.error();
        if (*picture == nullptr)
            return {};
        MR_TRY(show(*picture));
    }
}

// Renditions that may be copies of the source want its packets, from the first on.
void Pipeline::offer_source(const AVPacket& packet) {
    if (!may_copy_)
        return;
    if (!workshop_) {
        av::PacketPtr early = av::make_packet();
        MR_CHECK(av_packet_ref(early.get(), &packet) >= 0, "out of memory");
        early_video_.push_back(std::move(early));
    }
    for (std::size_t n = 0; n < plans_.size(); ++n)
        if (plans_[n].wants_source)
            workshop_->push_source(n, packet);
}

Result<void> Pipeline::show(const std::shared_ptr<Picture>& picture) {
    if (!workshop_) {
        const av::FramePtr told =
            picture->is_on_card() ? without_card(picture->source()) : av::share(picture->source());
        MR_TRY(open_renditions(told.get(), picture->at()));
    }
    if (picture->is_on_card()) {
        const CpuTimer timer(report_.times.scale_us);
        MR_TRY(card_->bring(*picture));
    }
    progress_ = {to_duration(picture->at() - *video_->first()), video_->frames()};
    std::vector<Order> orders;
    for (std::size_t n = 0; n < plans_.size(); ++n)
        if (plans_[n].sampler)
            MR_TRY(place(n, plans_[n].sampler->push(picture, shots_), orders));
    MR_TRY(workshop_->push(std::move(orders), [this] { return pulse(); }));
    return pulse();
}

// What the sampler has just put out, as orders.
Result<void> Pipeline::place(std::size_t rendition, const Result<void>& sampled,
                             std::vector<Order>& orders) {
    for (Shot& shot : shots_)
        orders.push_back({rendition, std::move(shot)});
    shots_.clear();
    return sampled;
}

SegmentFacts Pipeline::facts_from(const AVFrame* first, Ticks at) {
    SegmentFacts facts;
    facts.first = first_ = at;
    facts.like = first;
    facts.container = demuxer_->container();
    report_.seam.frame_rate = request_.seam.frame_rate;
    report_.seam.constant_rate = request_.seam.constant_rate;
    // The grids count from zero of the 33-bit clock, wherever its wraps have been put on the line.
    if (demuxer_->container() == Container::mpegts)
        facts.origin = origin_ = floor_div(at, kWrap) * kWrap;
    if (demuxer_->audio() != nullptr)
        facts.audio = demuxer_->audio()->parameters.get();
    if (first == nullptr)
        return facts;
    const Display display = display_of(*demuxer_->video(), *first, request_.limits);
    facts.display = display.size;
    facts.orientation = display.orientation;
    facts.rate = pinned_rate(demuxer_->video()->rate,
                             {request_.seam.frame_rate, request_.seam.constant_rate});
    // Also when nothing is known of it: the encoders were told something.
    report_.seam.frame_rate = facts.rate.rate.num > 0 ? facts.rate.rate : told_rate(facts.rate);
    report_.seam.constant_rate = facts.rate.constant;
    facts.video = demuxer_->video();
    report_.source.size = facts.display;
    return facts;
}

Result<void> Pipeline::open_renditions(const AVFrame* first, Ticks at) {
    const SegmentFacts facts = facts_from(first, at);
    scalers_.emplace(facts.orientation);
    report_.source.start_us = to_us(at - facts.origin);
    std::vector<std::unique_ptr<Rendition>> renditions;
    for (std::uint32_t index = 0; index < request_.ladder.size(); ++index) {
        const RenditionSpec& spec = request_.ladder[index];
        if (std::string why = first != nullptr ? why_left_out(spec, facts.display) : "";
            !why.empty()) {
            report_.skipped.push_back({index, spec.name, std::move(why)});
            continue;
        }
        renditions.push_back(std::make_unique<Rendition>(spec, index, facts, request_));
        Plan& plan = plans_.emplace_back();
        plan.wants_source = renditions.back()->wants_source();
        if (renditions.back()->wants_pictures())
            plan.sampler.emplace(spec, facts.origin, request_.limits.frames);
    }
    settle_scaling(renditions, facts);
    const auto scaling =
        request_.threads > 1 ? Workshop::Scaling::in_its_thread : Workshop::Scaling::by_the_caller;
    workshop_ = std::make_unique<Workshop>(std::move(renditions), *scalers_, scaling,
                                           first != nullptr ? picture_bytes(*first) : 0, cancel_);
    MR_TRY(workshop_->start());
    for (std::size_t n = 0; n < plans_.size(); ++n) {
        if (plans_[n].wants_source)
            for (const av::PacketPtr& packet : early_video_)
                workshop_->push_source(n, *packet);
        for (const av::PacketPtr& packet : early_audio_)
            workshop_->push_audio(n, *packet);
    }
    early_video_.clear();
    early_audio_.clear();
    return {};
}

void Pipeline::settle_scaling(std::span<const std::unique_ptr<Rendition>> renditions,
                              const SegmentFacts& facts) {
    std::vector<CascadeStep> steps;
    for (const auto& rendition : renditions)
        steps.push_back(
            {rendition->wants_pictures() ? std::optional(rendition->shape()) : std::nullopt,
             rendition->spec().scaling == Scaling::cascaded});
    auto shapes = cascade(steps, facts.display);
    for (std::size_t n = 0; n < renditions.size(); ++n)
        if (shapes[n])
            renditions[n]->set_shape(*std::move(shapes[n]));
    if (!request_.gpu || !scales_pictures(*request_.gpu))
        return;
    std::vector<Shape> wanted;
    for (const auto& rendition : renditions)
        if (rendition->wants_pictures())
            wanted.push_back(rendition->shape());
    card_.emplace(request_.gpu, std::move(wanted), facts.orientation);
}

StagesUsed Pipeline::stages_used() const {
    StagesUsed used = video_->stages_used();
    used.encoded = encoded_.encoded;
    used.encode_reason = encoded_.encode_reason;
    used.uploads = encoded_.uploads;
    if (card_) {
        used.downloads += card_->downloads();
        used.scaled = card_->scaled();
        used.scale_reason = card_->reason();
    }
    return used;
}

Result<void> Pipeline::pulse() {
    if (cancel_.cancelled())
        return error(ErrorKind::timeout, "cancelled");
    observer_.progress(progress_);
    return {};
}

Error Pipeline::no_video() {
    if (video_)
        video_->add_to(findings_);
    return media::no_video(*demuxer_, findings_, request_.limits);
}

Result<void> Pipeline::finish_without_video() {
    if (!request_.allow_audio_only || demuxer_->audio() == nullptr || early_audio_.empty())
        return no_video();
    if (demuxer_->video() != nullptr)
        report_.warnings.push_back(no_video().message);
    else
        report_.warnings.push_back("the segment has no video; the renditions hold audio only");
    const Ticks first = early_audio_.front()->pts;
    MR_TRY(open_renditions(nullptr, first));
    report_.source.duration = to_duration(audio_end_ - first);
    report_splices(first);
    return finish_renditions(audio_end_);
}

Result<void> Pipeline::finish_renditions(Ticks end) {
    std::vector<Order> orders;
    std::vector<Rendition::Ending> endings(plans_.size(), {end, std::nullopt});
    for (std::size_t n = 0; n < plans_.size(); ++n) {
        auto& sampler = plans_[n].sampler;
        if (!sampler)
            continue;
        MR_TRY(place(n, sampler->finish(end, shots_), orders));
        endings[n].shown = sampler->shown_until();
        findings_.captions_lost += static_cast<int>(sampler->captions_lost());
    }
    MR_TRY(workshop_->push(std::move(orders), [this] { return pulse(); }));
    workshop_->finish(endings);
    while (report_.renditions.size() < plans_.size()) {
        auto done = workshop_->next();
        if (!done)
            return done.error();
        MR_TRY(pulse());
        if (*done)
            hand_out(std::move(**done));
    }
    report_.times.scale_us += workshop_->scale_us();
    std::ranges::sort(report_.renditions, {}, &RenditionReport::index);
    return {};
}

void Pipeline::hand_out(Workshop::Done done) {
    Rendition::Finished& finished = done.finished;
    if (finished.audio_recoded)
        report_.warnings.push_back("rendition \"" + finished.report.name + "\": the " +
                                   demuxer_->audio()->label +
                                   " cannot be carried in its container and was encoded as AAC");
    audio_encoded_ |= finished.audio_encoded;
    add_data(finished);
    findings_.captions_lost += static_cast<int>(finished.captions_lost);
    report_.times.decode_us += finished.times.decode_us;
    report_.times.scale_us += finished.times.scale_us;
    report_.times.encode_us += finished.times.encode_us;
    if (finished.encoded) {
        encoded_.encoded.push_back(finished.encoded->by);
        encoded_.uploads += finished.uploads;
        if (!finished.encoded->on_gpu())
            encoded_.encode_reason =
                "rendition \"" + finished.report.name + "\": " + finished.encoded->reason;
    }
    report_.renditions.push_back(finished.report);
    observer_.rendition_done(std::move(finished.report), std::move(finished.bytes));
}

void Pipeline::add_data(Rendition::Finished& finished) {
    RenditionReport& report = finished.report;
    if (data_->empty() || finished.bytes.empty() ||
        request_.ladder[report.index].data == DataStreams::drop)
        return;
    auto whole = report.container == Container::mpegts
                     ? data_->into_ts(finished.bytes)
                     : Result(data_->into_mp4(finished.bytes, report.init_bytes, first_, origin_));
    if (whole && whole->size() <= request_.limits.output_bytes) {
        finished.bytes = std::move(*whole);
        report.bandwidth = report.bandwidth * static_cast<std::int64_t>(finished.bytes.size()) /
                           static_cast<std::int64_t>(report.bytes);
        report.bytes = finished.bytes.size();
        return;
    }
    const std::string why = whole ? "the rendition is too large" : whole.error().message;
    for (std::size_t n = 0; n < demuxer_->data().size(); ++n)
        if (data_->carries(n))
            report_.warnings.push_back("rendition \"" + report.name + "\" is without the " +
                                       demuxer_->data()[n].label + ", which has no room: " + why);
}

void Pipeline::report_splices(Ticks first) {
    const bool wanted = std::ranges::any_of(
        request_.ladder, [](const RenditionSpec& spec) { return spec.data == DataStreams::pass; });
    if (wanted)
        report_.splices = data_->splices(first, origin_);
}

void Pipeline::collect_warnings() {
    findings_.source = demuxer_->notes();
    findings_.data_dropped = data_->dropped();
    if (video_)
        video_->add_to(findings_);
    for (std::string& warning : warnings_of(findings_))
        report_.warnings.push_back(std::move(warning));
}

Result<TranscodeReport> Pipeline::finish() {
    if (!workshop_) {
        MR_TRY(finish_without_video());
    } else {
        const Ticks end = video_->end();
        SourceInfo& info = report_.source;
        info.frames = video_->frames();
        info.pixels = video_->pixels();
        const Ticks length = end - *video_->first();
        info.duration = to_duration(length);
        if (!demuxer_->video()->rate.constant) {
            AVRational measured{};
            av_reduce(&measured.num, &measured.den, info.frames * kTicksPerSecond, length,
                      1'000'000);
            info.frame_rate = av::rational(measured);
        }
        report_splices(*video_->first());
        MR_TRY(finish_renditions(end));
        if (request_.gpu)
            observer_.stages_used(stages_used());
    }
    leave(report_.seam, report_.renditions);
    if (audio_encoded_)
        report_.seam.sound = sound_tail_.tail(
            *demuxer_->audio()->parameters,
            {request_.seam.sound, origin_, demuxer_->container() == Container::mpegts});
    collect_warnings();
    report_.times.total_us = std::chrono::duration_cast<std::chrono::microseconds>(
                                 std::chrono::steady_clock::now() - started_)
                                 .count();
    return std::move(report_);
}

}  // namespace millrace::media
