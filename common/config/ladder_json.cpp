#include "common/config/ladder_json.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <numeric>
#include <set>
#include <sstream>

#include <nlohmann/json.hpp>

#include "common/config/json_text.h"
#include "common/config/ladder_names.h"

namespace millrace::config {
namespace {

using nlohmann::json;
using Errors = std::vector<FieldError>;

constexpr std::int64_t kSideMin = 16;              // pixels
constexpr std::int64_t kSideMax = 4096;            // pixels, the longer side (contract section 2)
constexpr std::int64_t kShortSideMax = 2304;       // pixels
constexpr std::int64_t kBitrateMin = 1'000;        // bit/s
constexpr std::int64_t kBitrateMax = 200'000'000;  // bit/s
constexpr std::int64_t kFpsNumberMax = 1'000'000;
constexpr double kFpsMin = 0.1;
constexpr double kFpsMax = 240.0;
constexpr double kGopMax = 60.0;  // seconds: the longest segment
constexpr std::int64_t kQualityMaxH26x = 51;
constexpr std::int64_t kQualityMax = 63;
constexpr std::size_t kNameMax = 64;
constexpr std::size_t kErrorsMax = 100;  // of one ladder; more help nobody

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z')
            c = static_cast<char>(c - 'A' + 'a');
    return out;
}

bool name_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("._~+-").find(c) != std::string_view::npos;
}

// One JSON object being read: hands out fields, remembers which were asked for, collects mistakes.
class ObjectReader {
public:
    ObjectReader(const json& object, std::string path, Errors& errors)
        : object_(object), path_(std::move(path)), errors_(errors) {}

    void fail(std::string_view key, std::string detail) {
        if (errors_.size() < kErrorsMax)
            errors_.push_back({key.empty() ? path_ : path_ + "." + std::string(key), detail});
    }

    // The field's value; null when it is absent or null.
    const json* take(std::string_view key) {
        known_.insert(std::string(key));
        const auto found = object_.find(std::string(key));
        return found == object_.end() || found->is_null() ? nullptr : &*found;
    }

    std::int64_t whole(std::string_view key, std::int64_t low, std::int64_t high,
                       std::int64_t absent = 0) {
        const json* value = take(key);
        if (value == nullptr)
            return absent;
        if (!value->is_number_integer()) {
            fail(key, "must be a whole number");
            return absent;
        }
        const bool beyond = value->is_number_unsigned() &&
                            value->get<std::uint64_t>() > static_cast<std::uint64_t>(high);
        const auto number = beyond ? high : value->get<std::int64_t>();
        if (!beyond && number >= low && number <= high)
            return number;
        fail(key, "must be between " + std::to_string(low) + " and " + std::to_string(high) +
                      ", not " + value->dump());
        return absent;
    }

    std::string text(std::string_view key, std::string_view absent) {
        const json* value = take(key);
        if (value == nullptr)
            return std::string(absent);
        if (value->is_string())
            return value->get<std::string>();
        fail(key, "must be a string");
        return std::string(absent);
    }

    template <class T, std::size_t N>
    T word(std::string_view key, const Words<T, N>& words, T absent) {
        const std::string given = text(key, word_of(words, absent));
        for (const auto& [name, meaning] : words)
            if (lower(name) == lower(given))
                return meaning;
        std::string list;
        for (const auto& [name, meaning] : words)
            if (!name.empty() && word_of(words, meaning) == name)
                list += (list.empty() ? "" : ", ") + std::string(name);
        fail(key, "must be one of " + list + ", not " + quote(given));
        return absent;
    }

    void refuse_unknown_keys() {
        for (const auto& [key, value] : object_.items())
            if (!known_.contains(key))
                fail("", "unknown key " + quote(key));
    }

private:
    const json& object_;
    std::string path_;
    Errors& errors_;
    std::set<std::string> known_;
};

void read_name(ObjectReader& in, RenditionSpec& spec) {
    spec.name = in.text("name", "");
    if (spec.name.empty())
        spec.name = "custom_" + std::to_string(spec.width) + "x" + std::to_string(spec.height) +
                    "_" + std::to_string(spec.bitrate);
    if (spec.name == "source")
        in.fail("name", "'source' is the broadcaster's own rendition");
    else if (spec.name == "." || spec.name == ".." || spec.name.size() > kNameMax ||
             !std::all_of(spec.name.begin(), spec.name.end(), name_character))
        in.fail("name", "must be 1 to 64 of A-Z a-z 0-9 . _ ~ + -, not " + quote(spec.name));
}

void read_size(ObjectReader& in, RenditionSpec& spec) {
    const auto side = [&](std::string_view key) {
        const auto pixels = static_cast<std::int32_t>(in.whole(key, 0, kSideMax));
        if (pixels != 0 && pixels < kSideMin)
            in.fail(key, "must be 0 or at least " + std::to_string(kSideMin) + " pixels");
        return pixels;
    };
    spec.width = side("width");
    spec.height = side("height");
    if (std::min(spec.width, spec.height) > kShortSideMax)
        in.fail("height",
                "the shorter side must be at most " + std::to_string(kShortSideMax) + " pixels");
}

void read_fps(ObjectReader& in, RenditionSpec& spec) {
    const json* given = in.take("fps");
    if (given != nullptr && given->is_number_float()) {
        in.fail("fps", "must be a whole number; write 29.97 as \"fps\": 30000, \"fpsDen\": 1001");
        (void)in.whole("fpsDen", 0, kFpsNumberMax, 1);
        return;
    }
    const std::int64_t number = in.whole("fps", 0, kFpsNumberMax);
    const std::int64_t denominator =
        std::max<std::int64_t>(1, in.whole("fpsDen", 0, kFpsNumberMax, 1));
    if (number == 0)
        return;
    const double rate = static_cast<double>(number) / static_cast<double>(denominator);
    if (rate < kFpsMin || rate > kFpsMax)
        in.fail("fps", "fps / fpsDen must be between 0.1 and 240 frames per second");
    const std::int64_t common = std::gcd(number, denominator);
    spec.fps = {static_cast<std::int32_t>(number / common),
                static_cast<std::int32_t>(denominator / common)};
}

// Seconds written as text ("2.0"), whole text, nothing else in it.
std::optional<double> seconds_of(const std::string& text) {
    if (text.empty() || text.find_first_not_of("0123456789.") != std::string::npos)
        return std::nullopt;
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    if (end != text.c_str() + text.size())
        return std::nullopt;
    return value;
}

void read_gop(ObjectReader& in, RenditionSpec& spec) {
    const json* given = in.take("gop");
    if (given == nullptr || (given->is_string() && given->get<std::string>().empty()))
        return;
    std::optional<double> seconds;
    if (given->is_string() && lower(given->get<std::string>()) == "intra") {
        spec.gop_ms = kGopIntra;
        return;
    }
    if (given->is_string())
        seconds = seconds_of(given->get<std::string>());
    else if (given->is_number())
        seconds = given->get<double>();
    // Below half a millisecond it would round to "the default", which was not meant.
    if (!seconds || *seconds < 0 || *seconds > kGopMax || (*seconds > 0 && *seconds < 0.0005)) {
        in.fail("gop", "must be \"intra\" or seconds between 0 and 60, not " +
                           quote(given->dump(-1, ' ', true)));
        return;
    }
    spec.gop_ms = std::llround(*seconds * 1000.0);
}

void read_video(ObjectReader& in, RenditionSpec& spec) {
    spec.codec = in.word("encoder", kEncoderWords, VideoCodec::h264);
    spec.container = in.word("container", kContainerWords, Container::mpegts);
    spec.profile = in.word("profile", kProfileWords, VideoProfile::automatic);
    if (spec.codec == VideoCodec::vp8)
        in.fail("encoder", "VP8 fits neither container: use H.264, HEVC, VP9 or AV1");
    const bool needs_mp4 = spec.codec == VideoCodec::vp9 || spec.codec == VideoCodec::av1;
    if (needs_mp4 && spec.container != Container::mp4)
        in.fail("container",
                std::string(word_of(kEncoderWords, spec.codec)) + " needs \"container\": \"mp4\"");
    if (spec.profile != VideoProfile::automatic && spec.codec != VideoCodec::h264)
        in.fail("profile", "is for H.264 only");
}

void read_picture(ObjectReader& in, RenditionSpec& spec) {
    const std::int64_t depth = in.whole("colorDepth", 0, 16, 8);
    if (depth == 0 || depth == 8)
        spec.color_depth = 8;
    else if (depth == 2 || depth == 10)
        spec.color_depth = 10;
    else
        in.fail("colorDepth", "must be 8 or 10 bits");
    spec.chroma = static_cast<ChromaFormat>(in.whole("chromaFormat", 0, 2));
}

void read_rate_control(ObjectReader& in, RenditionSpec& spec) {
    const bool h26x = spec.codec == VideoCodec::h264 || spec.codec == VideoCodec::hevc;
    spec.quality =
        static_cast<std::int32_t>(in.whole("quality", 0, h26x ? kQualityMaxH26x : kQualityMax));
    spec.bitrate = in.whole("bitrate", 0, kBitrateMax);
    if (spec.bitrate != 0 && spec.bitrate < kBitrateMin)
        in.fail("bitrate", "is in bit/s and must be at least " + std::to_string(kBitrateMin));
}

void read_audio(ObjectReader& in, AudioSpec& audio, const std::string& path, Errors& errors) {
    const json* given = in.take("audio");
    if (given == nullptr)
        return;
    const json object = given->is_string() ? json{{"codec", *given}} : *given;
    if (!object.is_object()) {
        in.fail("audio", "must be \"copy\", \"aac\", \"opus\", \"none\" or an object");
        return;
    }
    ObjectReader fields(object, path + ".audio", errors);
    const std::string codec = lower(fields.text("codec", ""));
    audio.bitrate = static_cast<std::int32_t>(fields.whole("bitrate", 0, 1'000'000));
    audio.rate = static_cast<std::int32_t>(fields.whole("rate", 0, 192'000));
    audio.channels = static_cast<std::int32_t>(fields.whole("channels", 0, 8));
    fields.refuse_unknown_keys();
    if (audio.rate != 0 && audio.rate < 8'000)
        fields.fail("rate", "must be 0 or at least 8000 samples per second");
    if (audio.bitrate != 0 && audio.bitrate < 6'000)
        fields.fail("bitrate", "must be 0 or at least 6000 bit/s");
    const bool shaped = audio.bitrate != 0 || audio.rate != 0 || audio.channels != 0;
    if (codec == "aac" || codec == "opus") {
        audio.mode = AudioMode::encode;
        audio.codec = codec == "aac" ? AudioCodec::aac : AudioCodec::opus;
    } else if (codec == "copy" || codec == "none") {
        audio.mode = codec == "copy" ? AudioMode::copy : AudioMode::none;
        if (shaped)
            fields.fail("codec", "bitrate, rate and channels need \"aac\" or \"opus\"");
    } else {
        fields.fail("codec", "must be one of copy, aac, opus, none, not " + quote(codec));
    }
}

void read_choices(ObjectReader& in, RenditionSpec& spec) {
    spec.upscale = in.word("upscale", kUpscaleWords, Upscale::allow);
    spec.bypass = in.word("bypass", kBypassWords, Bypass::never);
    spec.data = in.word("data", kDataWords, DataStreams::pass);
    spec.scaling = in.word("scaling", kScalingWords, Scaling::direct);
    spec.preset = in.text("preset", "");
    if (!spec.preset.empty() &&
        std::find(kPresetWords.begin(), kPresetWords.end(), spec.preset) == kPresetWords.end())
        in.fail("preset", "must be ultrafast to veryslow or p1 to p7, not " + quote(spec.preset));
}

RenditionSpec read_rendition(const json& value, const std::string& path, Errors& errors) {
    RenditionSpec spec;
    ObjectReader in(value, path, errors);
    if (!value.is_object()) {
        in.fail("", "must be an object");
        return spec;
    }
    read_size(in, spec);
    read_fps(in, spec);
    read_gop(in, spec);
    read_video(in, spec);
    read_picture(in, spec);
    const std::size_t mistakes = errors.size();
    read_rate_control(in, spec);
    if (spec.bitrate == 0 && spec.quality == 0 && errors.size() == mistakes)
        in.fail("bitrate", "is needed unless quality is given");
    read_audio(in, spec.audio, path, errors);
    read_choices(in, spec);
    read_name(in, spec);
    in.refuse_unknown_keys();
    return spec;
}

void refuse_twins(const Ladder& ladder, std::string_view at, Errors& errors) {
    for (std::size_t i = 0; i < ladder.size(); ++i)
        for (std::size_t j = 0; j < i; ++j) {
            if (ladder[i].name != ladder[j].name || ladder[i].name.empty())
                continue;
            errors.push_back(
                {std::string(at) + "[" + std::to_string(i) + "].name",
                 quote(ladder[i].name) + " is also the name of rendition " + std::to_string(j)});
            break;
        }
}

// Preset names in a list; mistakes are at `at`[i].
Parsed<Ladder> ladder_of_presets(const std::vector<std::string>& names, std::string_view at) {
    Errors errors;
    Ladder ladder;
    if (names.empty() || names.size() > kRenditionsMax)
        errors.push_back({std::string(at), "must name 1 to 8 renditions"});
    for (std::size_t i = 0; i < names.size() && errors.size() < kErrorsMax; ++i) {
        if (auto spec = preset_rendition(names[i]))
            ladder.push_back(std::move(*spec));
        else
            errors.push_back({std::string(at) + "[" + std::to_string(i) + "]",
                              "there is no preset " + quote(names[i])});
    }
    refuse_twins(ladder, at, errors);
    if (!errors.empty())
        return errors;
    return ladder;
}

Parsed<Ladder> read_presets(const json& value, std::string_view at) {
    std::vector<std::string> names;
    if (!value.is_array())
        return Errors{{std::string(at), "must be an array of preset names"}};
    for (const json& item : value)
        names.push_back(item.is_string() ? item.get<std::string>() : item.dump());
    return ladder_of_presets(names, at);
}

std::vector<std::string> split(std::string_view text) {
    std::vector<std::string> parts;
    std::stringstream stream{std::string(text)};
    for (std::string part; std::getline(stream, part, ',');)
        parts.push_back(part);
    return parts;
}

}  // namespace

Parsed<Ladder> read_ladder(const json& value, std::string_view at) {
    const std::string base(at);
    if (!value.is_array())
        return Errors{{base, "must be an array of renditions"}};
    if (value.empty() || value.size() > kRenditionsMax)
        return Errors{{base, "must have 1 to " + std::to_string(kRenditionsMax) +
                                 " renditions, not " + std::to_string(value.size())}};
    Errors errors;
    Ladder ladder;
    for (std::size_t i = 0; i < value.size(); ++i)
        ladder.push_back(read_rendition(value[i], base + "[" + std::to_string(i) + "]", errors));
    refuse_twins(ladder, at, errors);
    if (!errors.empty())
        return errors;
    return ladder;
}

Parsed<Ladder> parse_ladder(std::string_view text) {
    const auto document = parse_json(text);
    return document ? read_ladder(*document, "") : Parsed<Ladder>(document.errors());
}

Parsed<Ladder> parse_transcode_configuration(std::string_view text) {
    const auto document = parse_json(text);
    if (!document)
        return document.errors();
    if (!document->is_object())
        return read_ladder(*document, "");
    const bool profiles = document->contains("profiles") && !(*document)["profiles"].is_null();
    const bool presets = document->contains("presets") && !(*document)["presets"].is_null();
    if (profiles == presets)
        return Errors{{"", "must have either \"profiles\" or \"presets\""}};
    return profiles ? read_ladder((*document)["profiles"], "profiles")
                    : read_presets((*document)["presets"], "presets");
}

Parsed<Ladder> parse_ladder_option(std::string_view file_or_names) {
    const std::vector<std::string> names = split(file_or_names);
    const auto is_preset = [](const std::string& name) {
        return preset_rendition(name).has_value();
    };
    if (std::any_of(names.begin(), names.end(), is_preset))
        return ladder_of_presets(names, "");
    std::ifstream file{std::string(file_or_names), std::ios::binary};
    if (file_or_names.empty() || !file)
        return Errors{{"", quote(file_or_names) +
                               " is neither a readable file nor a list of preset names like " +
                               std::string(kDefaultLadder)}};
    std::string text(kJsonTextMax + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (file.bad())
        return Errors{{"", quote(file_or_names) + " cannot be read"}};
    text.resize(static_cast<std::size_t>(file.gcount()));
    return parse_ladder(text);
}

}  // namespace millrace::config
