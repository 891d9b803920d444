#pragma once
// A chain of libavfilter's video filters: pictures in, pictures out, times in ticks.
//
// Thread: its owner's (no threads of its own).

#include <string>

#include "transcoder/media/av.h"

namespace millrace::media {

class FilterChain {
public:
    // `chain`: as ffmpeg's -vf. Takes pictures of the size and format of `like` from then on.
    [[nodiscard]] static Result<FilterChain> open(const AVFrame& like, const std::string& chain);

    // A chain that begins with a source of its own ("testsrc2=..."): pull() alone, without an end.
    [[nodiscard]] static Result<FilterChain> generate(const std::string& chain);

    [[nodiscard]] bool takes(const AVFrame& picture) const;
    [[nodiscard]] Result<void> push(const AVFrame& picture);
    // No more pictures: what is still inside comes out.
    void drain();
    // Null: needs another picture, or empty after drain().
    [[nodiscard]] Result<av::FramePtr> pull();

private:
    FilterChain();
    [[nodiscard]] int connect(const std::string& chain);

    av::GraphPtr graph_;
    AVFilterContext* in_ = nullptr;   // the graph's; null: it generates
    AVFilterContext* out_ = nullptr;  // the graph's
    Size size_;
    int format_ = -1;
};

}  // namespace millrace::media
