#pragma once
// FFmpeg's view of a segment's bytes: an AVIO context over a ByteSource, nothing else behind it.
//
// Promises: reads block with the source; more than the limit is an error and never kept. In keeping
// mode bytes stay so that a demuxer may seek (an MP4 whose index comes last); otherwise they are
// dropped once read.
//
// Thread: one at a time; only ByteSource::stop() comes from elsewhere.

#include <functional>
#include <span>
#include <vector>

#include "transcoder/media/av.h"
#include "transcoder/media/transcode.h"

namespace millrace::media {

class InputBytes {
public:
    InputBytes(ByteSource& source, std::uint64_t bytes_max);
    ~InputBytes();
    InputBytes(const InputBytes&) = delete;
    InputBytes& operator=(const InputBytes&) = delete;

    // The first bytes, at most `want` of them, less at the end of the source. Before any reading.
    [[nodiscard]] std::span<const std::uint8_t> head(std::size_t want);
    void keep_everything(bool keep);
    // Sees all bytes once and in order, on the thread that reads; those that came before, now.
    void watch(std::function<void(std::span<const std::uint8_t>)> watcher);

    [[nodiscard]] AVIOContext* context() { return io_; }
    [[nodiscard]] bool over_limit() const { return over_limit_; }
    [[nodiscard]] std::uint64_t received() const { return received_; }
    // The first bytes again, as far as they are kept; for saying what was wrong with them.
    [[nodiscard]] std::vector<std::uint8_t> kept() const;

private:
    static int on_read(void* self, std::uint8_t* out, int size);
    static std::int64_t on_seek(void* self, std::int64_t offset, int whence);

    // Pulls once from the source; false at its end or over the limit.
    bool pull();
    int read(std::span<std::uint8_t> out);
    std::int64_t seek(std::int64_t target);
    void drop_behind();

    ByteSource& source_;
    std::uint64_t bytes_max_;
    std::function<void(std::span<const std::uint8_t>)> watcher_;
    std::vector<Block> blocks_;  // kBlockBytes each; dropped ones are null
    std::size_t dropped_ = 0;    // blocks
    std::uint64_t received_ = 0;
    std::uint64_t at_ = 0;
    bool keep_ = true;
    bool ended_ = false;
    bool over_limit_ = false;
    AVIOContext* io_ = nullptr;
};

}  // namespace millrace::media
