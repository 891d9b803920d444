#include "common/wire/values.h"

#include <algorithm>

namespace millrace::wire {

namespace {

// Overloads in here would hide those of values.h.
using wire::get;
using wire::put;

constexpr EnumTable<VideoCodec, schema::VideoCodec, 8> kVideoCodecs{{
    {VideoCodec::none, schema::VideoCodec::NONE},
    {VideoCodec::h264, schema::VideoCodec::H264},
    {VideoCodec::hevc, schema::VideoCodec::HEVC},
    {VideoCodec::vp8, schema::VideoCodec::VP8},
    {VideoCodec::vp9, schema::VideoCodec::VP9},
    {VideoCodec::av1, schema::VideoCodec::AV1},
    {VideoCodec::mpeg2, schema::VideoCodec::MPEG2},
    {VideoCodec::other, schema::VideoCodec::OTHER},
}};
constexpr EnumTable<AudioCodec, schema::AudioCodec, 8> kAudioCodecs{{
    {AudioCodec::none, schema::AudioCodec::NONE},
    {AudioCodec::aac, schema::AudioCodec::AAC},
    {AudioCodec::ac3, schema::AudioCodec::AC3},
    {AudioCodec::mp2, schema::AudioCodec::MP2},
    {AudioCodec::mp3, schema::AudioCodec::MP3},
    {AudioCodec::opus, schema::AudioCodec::OPUS},
    {AudioCodec::vorbis, schema::AudioCodec::VORBIS},
    {AudioCodec::other, schema::AudioCodec::OTHER},
}};
constexpr EnumTable<Container, schema::Container, 4> kContainers{{
    {Container::mpegts, schema::Container::MPEGTS},
    {Container::mp4, schema::Container::MP4},
    {Container::matroska, schema::Container::MATROSKA},
    {Container::unknown, schema::Container::UNKNOWN},
}};
constexpr EnumTable<VideoProfile, schema::VideoProfile, 5> kProfiles{{
    {VideoProfile::automatic, schema::VideoProfile::AUTOMATIC},
    {VideoProfile::baseline, schema::VideoProfile::BASELINE},
    {VideoProfile::main, schema::VideoProfile::MAIN},
    {VideoProfile::high, schema::VideoProfile::HIGH},
    {VideoProfile::constrained_high, schema::VideoProfile::CONSTRAINED_HIGH},
}};
constexpr EnumTable<ChromaFormat, schema::ChromaFormat, 3> kChromaFormats{{
    {ChromaFormat::yuv420, schema::ChromaFormat::YUV420},
    {ChromaFormat::yuv422, schema::ChromaFormat::YUV422},
    {ChromaFormat::yuv444, schema::ChromaFormat::YUV444},
}};
constexpr EnumTable<AudioMode, schema::AudioMode, 3> kAudioModes{{
    {AudioMode::copy, schema::AudioMode::COPY},
    {AudioMode::encode, schema::AudioMode::ENCODE},
    {AudioMode::none, schema::AudioMode::NONE},
}};
constexpr EnumTable<Upscale, schema::Upscale, 2> kUpscales{{
    {Upscale::never, schema::Upscale::NEVER},
    {Upscale::allow, schema::Upscale::ALLOW},
}};
constexpr EnumTable<Bypass, schema::Bypass, 2> kBypasses{{
    {Bypass::never, schema::Bypass::NEVER},
    {Bypass::if_fits, schema::Bypass::IF_FITS},
}};
constexpr EnumTable<SpliceKind, schema::MarkerKind, 3> kSpliceKinds{{
    {SpliceKind::command, schema::MarkerKind::COMMAND},
    {SpliceKind::out, schema::MarkerKind::OUT},
    {SpliceKind::in, schema::MarkerKind::IN},
}};
constexpr EnumTable<DataStreams, schema::DataStreams, 2> kDataStreams{{
    {DataStreams::pass, schema::DataStreams::PASS},
    {DataStreams::drop, schema::DataStreams::DROP},
}};
constexpr EnumTable<Scaling, schema::Scaling, 2> kScalings{{
    {Scaling::direct, schema::Scaling::DIRECT},
    {Scaling::cascaded, schema::Scaling::CASCADED},
}};

constexpr std::int32_t kColorDepthMax = 16;  // bits
constexpr std::int32_t kQualityMax = 63;     // CRF

void put(schema::Rational::Builder out, const Rational& value) {
    out.setNum(value.num);
    out.setDen(value.den);
}

Rational get(schema::Rational::Reader in) {
    if (in.getDen() < 1)
        malformed("Rational.den", "is not positive");
    return {non_negative32(in.getNum(), "Rational.num"), in.getDen()};
}

std::int32_t side(std::int32_t value, std::string_view field) {
    return static_cast<std::int32_t>(within(value, 0, kSideMax, field));
}

void put(schema::Size::Builder out, const Size& value) {
    out.setWidth(value.width);
    out.setHeight(value.height);
}

Size get(schema::Size::Reader in) {
    return {side(in.getWidth(), "Size.width"), side(in.getHeight(), "Size.height")};
}

void put(schema::AudioSpec::Builder out, const AudioSpec& audio) {
    out.setMode(to_wire(kAudioModes, audio.mode));
    out.setCodec(to_wire(kAudioCodecs, audio.codec));
    out.setBitrate(audio.bitrate);
    out.setRate(audio.rate);
    out.setChannels(audio.channels);
}

AudioSpec get(schema::AudioSpec::Reader in) {
    AudioSpec audio;
    audio.mode = known(kAudioModes, in.getMode(), "AudioSpec.mode");
    audio.codec = known(kAudioCodecs, in.getCodec(), "AudioSpec.codec");
    audio.bitrate = non_negative32(in.getBitrate(), "AudioSpec.bitrate");
    audio.rate = non_negative32(in.getRate(), "AudioSpec.rate");
    audio.channels = non_negative32(in.getChannels(), "AudioSpec.channels");
    return audio;
}

void put(schema::RenditionSpec::Builder out, const RenditionSpec& spec) {
    out.setName(as_text(spec.name));
    out.setWidth(spec.width);
    out.setHeight(spec.height);
    out.setBitrate(spec.bitrate);
    put(out.initFps(), spec.fps);
    out.setProfile(to_wire(kProfiles, spec.profile));
    out.setGopMs(spec.gop_ms);
    out.setCodec(to_wire(kVideoCodecs, spec.codec));
    out.setColorDepth(spec.color_depth);
    out.setChroma(to_wire(kChromaFormats, spec.chroma));
    out.setQuality(spec.quality);
    out.setContainer(to_wire(kContainers, spec.container));
    put(out.initAudio(), spec.audio);
    out.setPreset(as_text(spec.preset));
    out.setUpscale(to_wire(kUpscales, spec.upscale));
    out.setBypass(to_wire(kBypasses, spec.bypass));
    out.setData(to_wire(kDataStreams, spec.data));
    out.setScaling(to_wire(kScalings, spec.scaling));
}

RenditionSpec get(schema::RenditionSpec::Reader in) {
    RenditionSpec spec;
    spec.name = name_text(in.getName(), kRenditionNameBytesMax, "RenditionSpec.name");
    spec.width = side(in.getWidth(), "RenditionSpec.width");
    spec.height = side(in.getHeight(), "RenditionSpec.height");
    spec.bitrate = non_negative(in.getBitrate(), "RenditionSpec.bitrate");
    spec.fps = get(in.getFps());
    spec.profile = known(kProfiles, in.getProfile(), "RenditionSpec.profile");
    spec.gop_ms = within(in.getGopMs(), kGopIntra, INT64_MAX, "RenditionSpec.gopMs");
    spec.codec = known(kVideoCodecs, in.getCodec(), "RenditionSpec.codec");
    spec.color_depth = static_cast<std::int32_t>(
        within(in.getColorDepth(), 1, kColorDepthMax, "RenditionSpec.colorDepth"));
    spec.chroma = known(kChromaFormats, in.getChroma(), "RenditionSpec.chroma");
    spec.quality =
        static_cast<std::int32_t>(within(in.getQuality(), 0, kQualityMax, "RenditionSpec.quality"));
    spec.container = known(kContainers, in.getContainer(), "RenditionSpec.container");
    spec.audio = get(in.getAudio());
    spec.preset = text(in.getPreset(), kPresetBytesMax, "RenditionSpec.preset");
    spec.upscale = known(kUpscales, in.getUpscale(), "RenditionSpec.upscale");
    spec.bypass = known(kBypasses, in.getBypass(), "RenditionSpec.bypass");
    spec.data = known(kDataStreams, in.getData(), "RenditionSpec.data");
    spec.scaling = known(kScalings, in.getScaling(), "RenditionSpec.scaling");
    return spec;
}

std::uint32_t rendition_index(std::uint32_t value, std::string_view field) {
    if (value >= kRenditionsMax)
        malformed(field, "is out of range");
    return value;
}

void put(schema::SkippedRendition::Builder out, const SkippedRendition& skipped) {
    out.setIndex(skipped.index);
    out.setName(as_text(skipped.name));
    out.setReason(as_text(clipped(skipped.reason, kSentenceBytesMax)));
}

SkippedRendition get(schema::SkippedRendition::Reader in) {
    return {rendition_index(in.getIndex(), "SkippedRendition.index"),
            name_text(in.getName(), kRenditionNameBytesMax, "SkippedRendition.name"),
            text(in.getReason(), kSentenceBytesMax, "SkippedRendition.reason")};
}

void put(schema::StageTimes::Builder out, const StageTimes& times) {
    out.setReceiveUs(times.receive_us);
    out.setDecodeUs(times.decode_us);
    out.setScaleUs(times.scale_us);
    out.setEncodeUs(times.encode_us);
    out.setSendUs(times.send_us);
    out.setTotalUs(times.total_us);
}

StageTimes get(schema::StageTimes::Reader in) {
    return {non_negative(in.getReceiveUs(), "StageTimes.receiveUs"),
            non_negative(in.getDecodeUs(), "StageTimes.decodeUs"),
            non_negative(in.getScaleUs(), "StageTimes.scaleUs"),
            non_negative(in.getEncodeUs(), "StageTimes.encodeUs"),
            non_negative(in.getSendUs(), "StageTimes.sendUs"),
            non_negative(in.getTotalUs(), "StageTimes.totalUs")};
}

template <class List, class Own>
void put_all(List out, const std::vector<Own>& values) {
    for (unsigned i = 0; i < out.size(); ++i)
        put(out[i], values[i]);
}

template <class Own, class List>
std::vector<Own> get_all(List in, std::size_t max, std::string_view field) {
    std::vector<Own> values;
    for (const auto entry : bounded(in, max, field))
        values.push_back(get(entry));
    return values;
}

template <class List, class Own, class Wire, std::size_t N>
void put_enums(List out, const EnumTable<Own, Wire, N>& table, const std::vector<Own>& values) {
    for (unsigned i = 0; i < out.size(); ++i)
        out.set(i, to_wire(table, values[i]));
}

// A later minor's codec is left out: nobody here asks for it.
template <class List, class Own, class Wire, std::size_t N>
std::vector<Own> get_enums(List in, const EnumTable<Own, Wire, N>& table, std::string_view field) {
    std::vector<Own> values;
    for (const auto entry : bounded(in, kCodecsInListMax, field))
        if (const auto own = from_wire(table, entry))
            values.push_back(*own);
    return values;
}

}  // namespace

void put(schema::Ladder::Builder out, const Ladder& ladder) {
    put_all(out.initRenditions(list_size(ladder.size())), ladder);
}

Ladder get(schema::Ladder::Reader in) {
    return get_all<RenditionSpec>(in.getRenditions(), kRenditionsMax, "Ladder.renditions");
}

SessionId session_id(capnp::Text::Reader in, std::string_view field) {
    return SessionId{name_text(in, kSessionIdBytesMax, field)};
}

void put(schema::SegmentKey::Builder out, const SegmentKey& key) {
    out.setSession(as_text(key.session.value));
    out.setRun(key.run);
    out.setSeq(key.seq);
    out.setSha256(as_data(key.sha256));
}

SegmentKey get(schema::SegmentKey::Reader in) {
    return {session_id(in.getSession(), "SegmentKey.session"), in.getRun(), in.getSeq(),
            sha256(in.getSha256(), "SegmentKey.sha256")};
}

namespace {

void put(schema::SoundTail::Builder out, const SoundTail& tail) {
    out.setFormat(as_data(tail.format));
    auto packets = out.initPackets(list_size(tail.packets.size()));
    for (unsigned i = 0; i < packets.size(); ++i) {
        packets[i].setAt(tail.packets[i].at);
        packets[i].setBytes({tail.packets[i].bytes.data(), tail.packets[i].bytes.size()});
    }
}

SoundTail get(schema::SoundTail::Reader in) {
    SoundTail tail;
    std::size_t all = 0;
    for (const auto packet : bounded(in.getPackets(), kSoundPacketsMax, "SoundTail.packets")) {
        const auto bytes = packet.getBytes();
        all += bytes.size();
        if (bytes.size() == 0 || all > kSoundBytesMax)
            malformed("SoundTail.packets", "are empty or too long");
        const auto at = within(packet.getAt(), -kSoundTimeMax, kSoundTimeMax, "SoundPacket.at");
        tail.packets.push_back({at, {bytes.begin(), bytes.end()}});
    }
    if (!tail.packets.empty())
        tail.format = sha256(in.getFormat(), "SoundTail.format");
    return tail;
}

}  // namespace

void put(schema::SeamContext::Builder out, const SeamContext& seam) {
    if (!seam.vbv_fill_bits.empty()) {
        auto fill = out.initVbvFillBits(list_size(seam.vbv_fill_bits.size()));
        for (unsigned i = 0; i < fill.size(); ++i)
            fill.set(i, seam.vbv_fill_bits[i]);
    }
    if (!seam.rate_factors_milli.empty()) {
        auto factors = out.initRateFactorsMilli(list_size(seam.rate_factors_milli.size()));
        for (unsigned i = 0; i < factors.size(); ++i)
            factors.set(i, seam.rate_factors_milli[i]);
    }
    if (!seam.sound.packets.empty())
        put(out.initSound(), seam.sound);
    if (seam.frame_rate.num > 0)
        put(out.initFrameRate(), seam.frame_rate);
    out.setConstantRate(seam.constant_rate);
}

SeamContext get(schema::SeamContext::Reader in) {
    SeamContext seam;
    for (const auto bits : bounded(in.getVbvFillBits(), kRenditionsMax, "SeamContext.vbvFillBits"))
        seam.vbv_fill_bits.push_back(non_negative(bits, "SeamContext.vbvFillBits"));
    for (const auto factor :
         bounded(in.getRateFactorsMilli(), kRenditionsMax, "SeamContext.rateFactorsMilli"))
        seam.rate_factors_milli.push_back(non_negative32(factor, "SeamContext.rateFactorsMilli"));
    if (in.hasSound())
        seam.sound = get(in.getSound());
    seam.frame_rate = get(in.getFrameRate());
    seam.constant_rate = in.getConstantRate();
    return seam;
}

void put(schema::SourceInfo::Builder out, const SourceInfo& source) {
    out.setContainer(to_wire(kContainers, source.container));
    out.setVideo(to_wire(kVideoCodecs, source.video));
    out.setAudio(to_wire(kAudioCodecs, source.audio));
    put(out.initSize(), source.size);
    put(out.initFrameRate(), source.frame_rate);
    out.setFrames(source.frames);
    out.setPixels(source.pixels);
    out.setDurationNs(source.duration.count());
    out.setStartUs(source.start_us);
    out.setCodecs(as_text(clipped(source.codecs, kCodecsBytesMax)));
}

SourceInfo get(schema::SourceInfo::Reader in) {
    SourceInfo source;
    source.container = known_or(kContainers, in.getContainer(), Container::unknown);
    source.video = known_or(kVideoCodecs, in.getVideo(), VideoCodec::other);
    source.audio = known_or(kAudioCodecs, in.getAudio(), AudioCodec::other);
    source.size = get(in.getSize());
    source.frame_rate = get(in.getFrameRate());
    source.frames = non_negative(in.getFrames(), "SourceInfo.frames");
    source.pixels = non_negative(in.getPixels(), "SourceInfo.pixels");
    source.duration = Duration(non_negative(in.getDurationNs(), "SourceInfo.durationNs"));
    source.start_us = in.getStartUs();
    source.codecs = text(in.getCodecs(), kCodecsBytesMax, "SourceInfo.codecs");
    return source;
}

void put(schema::RenditionReport::Builder out, const RenditionReport& report) {
    out.setIndex(report.index);
    out.setName(as_text(report.name));
    out.setContainer(to_wire(kContainers, report.container));
    out.setBytes(report.bytes);
    out.setSha256(as_data(report.sha256));
    put(out.initSize(), report.size);
    out.setFrames(report.frames);
    out.setPixels(report.pixels);
    out.setDurationNs(report.duration.count());
    put(out.initFrameRate(), report.frame_rate);
    out.setCodecs(as_text(clipped(report.codecs, kCodecsBytesMax)));
    out.setBandwidth(report.bandwidth);
    out.setInitBytes(report.init_bytes);
    if (report.parameter_sets != Sha256{})
        out.setParameterSets(as_data(report.parameter_sets));
    out.setVbvFillBits(report.vbv_fill_bits);
    out.setCopied(report.copied);
    out.setRateFactorMilli(report.rate_factor_milli);
}

RenditionReport get(schema::RenditionReport::Reader in) {
    RenditionReport report;
    report.index = rendition_index(in.getIndex(), "RenditionReport.index");
    report.name = name_text(in.getName(), kRenditionNameBytesMax, "RenditionReport.name");
    report.container = known_or(kContainers, in.getContainer(), Container::unknown);
    report.bytes = in.getBytes();
    report.sha256 = sha256(in.getSha256(), "RenditionReport.sha256");
    report.size = get(in.getSize());
    report.frames = non_negative(in.getFrames(), "RenditionReport.frames");
    report.pixels = non_negative(in.getPixels(), "RenditionReport.pixels");
    report.duration = Duration(non_negative(in.getDurationNs(), "RenditionReport.durationNs"));
    report.frame_rate = get(in.getFrameRate());
    report.codecs = text(in.getCodecs(), kCodecsBytesMax, "RenditionReport.codecs");
    report.bandwidth = non_negative(in.getBandwidth(), "RenditionReport.bandwidth");
    report.init_bytes = in.getInitBytes();
    if (in.getParameterSets().size() != 0)
        report.parameter_sets = sha256(in.getParameterSets(), "RenditionReport.parameterSets");
    report.vbv_fill_bits = non_negative(in.getVbvFillBits(), "RenditionReport.vbvFillBits");
    report.copied = in.getCopied();
    report.rate_factor_milli =
        non_negative32(in.getRateFactorMilli(), "RenditionReport.rateFactorMilli");
    return report;
}

void put(schema::SpliceMarker::Builder out, const SpliceMarker& splice) {
    out.setStartUs(splice.start_us);
    out.setDurationUs(splice.duration_us);
    out.setEventId(splice.event_id);
    out.setKind(to_wire(kSpliceKinds, splice.kind));
    out.setSection({splice.section.data(), std::min(splice.section.size(), kSpliceBytesMax)});
}

SpliceMarker get(schema::SpliceMarker::Reader in) {
    SpliceMarker splice;
    splice.start_us = in.getStartUs();
    splice.duration_us = non_negative(in.getDurationUs(), "SpliceMarker.durationUs");
    splice.event_id = in.getEventId();
    splice.kind = known_or(kSpliceKinds, in.getKind(), SpliceKind::command);
    const auto section = in.getSection();
    if (section.size() > kSpliceBytesMax)
        malformed("SpliceMarker.section", "is too long");
    splice.section.assign(section.begin(), section.end());
    return splice;
}

void put(schema::TranscodeReport::Builder out, const TranscodeReport& report) {
    put(out.initSource(), report.source);
    put_all(out.initRenditions(list_size(report.renditions.size())), report.renditions);
    put_all(out.initSkipped(list_size(report.skipped.size())), report.skipped);
    auto warnings = out.initWarnings(list_size(std::min(report.warnings.size(), kWarningsMax)));
    for (unsigned i = 0; i < warnings.size(); ++i)
        warnings.set(i, as_text(clipped(report.warnings[i], kSentenceBytesMax)));
    put(out.initTimes(), report.times);
    auto splices = out.initSplices(list_size(std::min(report.splices.size(), kSplicesMax)));
    for (unsigned i = 0; i < splices.size(); ++i)
        put(splices[i], report.splices[i]);
    out.setCpuUs(report.cpu_us);
}

TranscodeReport get(schema::TranscodeReport::Reader in) {
    TranscodeReport report;
    report.source = get(in.getSource());
    report.renditions =
        get_all<RenditionReport>(in.getRenditions(), kRenditionsMax, "TranscodeReport.renditions");
    report.skipped =
        get_all<SkippedRendition>(in.getSkipped(), kRenditionsMax, "TranscodeReport.skipped");
    for (const auto warning : bounded(in.getWarnings(), kWarningsMax, "TranscodeReport.warnings"))
        report.warnings.push_back(text(warning, kSentenceBytesMax, "TranscodeReport.warnings"));
    report.times = get(in.getTimes());
    report.splices = get_all<SpliceMarker>(in.getSplices(), kSplicesMax, "TranscodeReport.splices");
    report.cpu_us = non_negative(in.getCpuUs(), "TranscodeReport.cpuUs");
    return report;
}

void put(schema::Cost::Builder out, const Cost& cost) {
    out.setDecodePixels(cost.decode_pixels);
    out.setEncodePixels(cost.encode_pixels);
    out.setEncoderSessions(cost.encoder_sessions);
    out.setBytes(cost.bytes);
    out.setScalePixels(cost.scale_pixels);
    out.setEncodeWork(cost.encode_work);
}

Cost get(schema::Cost::Reader in) {
    // A sum of kSlotsMax of these must not overflow in anybody's arithmetic.
    constexpr std::int64_t kMost = INT64_MAX >> 16;
    return {within(in.getDecodePixels(), 0, kMost, "Cost.decodePixels"),
            within(in.getEncodePixels(), 0, kMost, "Cost.encodePixels"),
            within(in.getEncoderSessions(), 0, kMost, "Cost.encoderSessions"),
            within(in.getBytes(), 0, kMost, "Cost.bytes"),
            within(in.getScalePixels(), 0, kMost, "Cost.scalePixels"),
            within(in.getEncodeWork(), 0, kMost, "Cost.encodeWork")};
}

void put(schema::CpuBudget::Builder out, const CpuBudget& cpu) {
    out.setDecode(cpu.decode);
    out.setScale(cpu.scale);
    out.setEncode(cpu.encode);
    out.setAvailable(cpu.available);
}

CpuBudget get(schema::CpuBudget::Reader in) {
    return {within(in.getDecode(), 0, INT64_MAX, "CpuBudget.decode"),
            within(in.getScale(), 0, INT64_MAX, "CpuBudget.scale"),
            within(in.getEncode(), 0, INT64_MAX, "CpuBudget.encode"),
            within(in.getAvailable(), 0, INT64_MAX, "CpuBudget.available")};
}

void put(schema::Capabilities::Builder out, const Capabilities& capabilities) {
    put_enums(out.initDecode(list_size(capabilities.decode.size())), kVideoCodecs,
              capabilities.decode);
    put_enums(out.initEncode(list_size(capabilities.encode.size())), kVideoCodecs,
              capabilities.encode);
    put_enums(out.initAudioEncode(list_size(capabilities.audio_encode.size())), kAudioCodecs,
              capabilities.audio_encode);
    put_enums(out.initContainersOut(list_size(capabilities.containers_out.size())), kContainers,
              capabilities.containers_out);
    out.setColorDepthMax(capabilities.color_depth_max);
}

Capabilities get(schema::Capabilities::Reader in) {
    Capabilities capabilities;
    capabilities.decode = get_enums(in.getDecode(), kVideoCodecs, "Capabilities.decode");
    capabilities.encode = get_enums(in.getEncode(), kVideoCodecs, "Capabilities.encode");
    capabilities.audio_encode =
        get_enums(in.getAudioEncode(), kAudioCodecs, "Capabilities.audioEncode");
    capabilities.containers_out =
        get_enums(in.getContainersOut(), kContainers, "Capabilities.containersOut");
    capabilities.color_depth_max = static_cast<std::int32_t>(
        within(in.getColorDepthMax(), 1, kColorDepthMax, "Capabilities.colorDepthMax"));
    return capabilities;
}

void put(schema::Device::Builder out, const Device& device) {
    out.setKind(as_text(clipped(device.kind, kDeviceKindBytesMax)));
    out.setName(as_text(clipped(device.name, kDeviceNameBytesMax)));
    out.setSlots(device.slots);
}

Device get(schema::Device::Reader in) {
    return {text(in.getKind(), kDeviceKindBytesMax, "Device.kind"),
            text(in.getName(), kDeviceNameBytesMax, "Device.name"), in.getSlots()};
}

}  // namespace millrace::wire
