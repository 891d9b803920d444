#pragma once
// Runs one segment through the pipeline and keeps what it hands out.
//
// Thread: its owner's.

#include <map>
#include <string>
#include <vector>

#include "common/runtime/payload.h"
#include "transcoder/media/transcode.h"

namespace millrace::test {

struct Transcoded final : media::TranscodeObserver {
    explicit Transcoded(const std::vector<std::uint8_t>& source, media::TranscodeRequest request)
        : report(error(ErrorKind::internal, "not run")) {
        media::PayloadSource bytes(make_payload(std::make_shared<BlockPool>(), source));
        report = media::transcode(bytes, request, *this, {});
    }
    void rendition_done(RenditionReport done, std::vector<std::uint8_t> bytes) override {
        files[done.name] = std::move(bytes);
    }
    // True when one of the warnings holds these words.
    [[nodiscard]] bool warned(const std::string& words) const {
        for (const std::string& warning : report->warnings)
            if (warning.find(words) != std::string::npos)
                return true;
        return false;
    }

    Result<TranscodeReport> report;
    std::map<std::string, std::vector<std::uint8_t>> files;
};

// A rendition for quick tests: small settings, fast preset.
[[nodiscard]] inline RenditionSpec quick(std::string name, Size size, Rational fps = {}) {
    RenditionSpec spec;
    spec.name = std::move(name);
    spec.width = size.width;
    spec.height = size.height;
    spec.fps = fps;
    spec.quality = 20;
    spec.preset = "ultrafast";
    return spec;
}

}  // namespace millrace::test
