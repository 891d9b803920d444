#pragma once
// One transcode in a test: the segment in, files and report out.
//
// Thread: any.

#include <map>
#include <string>
#include <vector>

#include "common/runtime/payload.h"
#include "transcoder/media/transcode.h"

namespace millrace::test {

struct Transcoded final : media::TranscodeObserver {
    Transcoded(const std::vector<std::uint8_t>& source, const media::TranscodeRequest& request) {
        media::PayloadSource bytes(make_payload(std::make_shared<BlockPool>(), source));
        report = media::transcode(bytes, request, *this, {});
    }
    void rendition_done(RenditionReport done, std::vector<std::uint8_t> bytes) override {
        files[done.name] = std::move(bytes);
    }
    [[nodiscard]] const RenditionReport& of(const std::string& name) const {
        for (const RenditionReport& done : report->renditions)
            if (done.name == name)
                return done;
        return report->renditions.at(0);
    }
    // True when one of the warnings holds these words.
    [[nodiscard]] bool warned(const std::string& words) const {
        for (const std::string& warning : report->warnings)
            if (warning.find(words) != std::string::npos)
                return true;
        return false;
    }

    Result<TranscodeReport> report = error(ErrorKind::internal, "not run");
    std::map<std::string, std::vector<std::uint8_t>> files;
};

[[nodiscard]] inline Transcoded transcoded(const std::vector<std::uint8_t>& source,
                                           const media::TranscodeRequest& request) {
    return {source, request};
}

[[nodiscard]] inline RenditionSpec rendition(std::string name, Size size, Rational fps = {}) {
    RenditionSpec spec;
    spec.name = std::move(name);
    spec.width = size.width;
    spec.height = size.height;
    spec.fps = fps;
    return spec;
}

// For quick tests: a preset that costs little.
[[nodiscard]] inline RenditionSpec quick(std::string name, Size size, Rational fps = {}) {
    RenditionSpec spec = rendition(std::move(name), size, fps);
    spec.quality = 20;
    spec.preset = "ultrafast";
    return spec;
}

// An MP4 without its init part.
[[nodiscard]] inline std::vector<std::uint8_t> fragment(const Transcoded& out,
                                                        const std::string& name) {
    const auto& file = out.files.at(name);
    return {file.begin() + static_cast<std::ptrdiff_t>(out.of(name).init_bytes), file.end()};
}

}  // namespace millrace::test
