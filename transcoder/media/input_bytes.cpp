#include "transcoder/media/input_bytes.h"

#include <algorithm>
#include <cstring>

#include "common/base/check.h"

namespace millrace::media {
namespace {

constexpr int kIoBufferBytes = 64 * 1024;

}  // namespace

std::size_t PayloadSource::read(std::span<std::uint8_t> out) {
    const std::size_t count = payload_->read(at_, out);
    at_ += count;
    return count;
}

InputBytes::InputBytes(ByteSource& source, std::uint64_t bytes_max)
    : source_(source), bytes_max_(bytes_max) {
    auto* buffer = static_cast<std::uint8_t*>(av_malloc(kIoBufferBytes));
    io_ = avio_alloc_context(buffer, kIoBufferBytes, 0, this, &on_read, nullptr, &on_seek);
    MR_CHECK(buffer != nullptr && io_ != nullptr, "out of memory");
}

InputBytes::~InputBytes() {
    av_freep(&io_->buffer);  // FFmpeg may have put another buffer there
    avio_context_free(&io_);
}

std::span<const std::uint8_t> InputBytes::head(std::size_t want) {
    MR_CHECK(want <= kBlockBytes, "the head lies in one block");
    while (received_ < want && pull()) {
    }
    if (received_ == 0)
        return {};
    return {blocks_[0].get(), static_cast<std::size_t>(std::min<std::uint64_t>(received_, want))};
}

void InputBytes::keep_everything(bool keep) {
    keep_ = keep;
    io_->seekable = keep ? AVIO_SEEKABLE_NORMAL : 0;
}

void InputBytes::watch(std::function<void(std::span<const std::uint8_t>)> watcher) {
    MR_CHECK(dropped_ == 0, "nothing has been dropped before it is watched");
    watcher_ = std::move(watcher);
    for (std::size_t i = 0; i * kBlockBytes < received_; ++i)
        watcher_({blocks_[i].get(), static_cast<std::size_t>(std::min<std::uint64_t>(
                                        kBlockBytes, received_ - i * kBlockBytes))});
}

std::vector<std::uint8_t> InputBytes::kept() const {
    std::vector<std::uint8_t> bytes;
    for (std::size_t i = 0; i < blocks_.size() && blocks_[i]; ++i) {
        const auto size = std::min<std::uint64_t>(kBlockBytes, received_ - i * kBlockBytes);
        bytes.insert(bytes.end(), blocks_[i].get(), blocks_[i].get() + size);
    }
    return bytes;
}

bool InputBytes::pull() {
    if (ended_)
        return false;
    if (received_ == blocks_.size() * kBlockBytes)
        blocks_.push_back(std::make_unique_for_overwrite<std::uint8_t[]>(kBlockBytes));
    const std::size_t used = received_ % kBlockBytes;
    const std::size_t count = source_.read({blocks_.back().get() + used, kBlockBytes - used});
    if (watcher_)
        watcher_({blocks_.back().get() + used, count});
    received_ += count;
    over_limit_ = received_ > bytes_max_;
    ended_ = count == 0 || over_limit_;
    return !ended_;
}

int InputBytes::read(std::span<std::uint8_t> out) {
    while (at_ >= received_)
        if (!pull())
            return AVERROR_EOF;
    const std::size_t offset = at_ % kBlockBytes;
    const auto count = static_cast<std::size_t>(
        std::min<std::uint64_t>({out.size(), kBlockBytes - offset, received_ - at_}));
    std::memcpy(out.data(), blocks_[at_ / kBlockBytes].get() + offset, count);
    at_ += count;
    if (!keep_)
        drop_behind();
    return static_cast<int>(count);
}

void InputBytes::drop_behind() {
    for (; dropped_ < at_ / kBlockBytes; ++dropped_)
        blocks_[dropped_].reset();
}

std::int64_t InputBytes::seek(std::int64_t target) {
    if (target < 0 || static_cast<std::uint64_t>(target) < dropped_ * kBlockBytes)
        return AVERROR(EINVAL);
    while (received_ < static_cast<std::uint64_t>(target) && pull()) {
    }
    at_ = static_cast<std::uint64_t>(target);  // beyond the end: the next read says so
    return target;
}

int InputBytes::on_read(void* self, std::uint8_t* out, int size) {
    return size <= 0 ? AVERROR(EINVAL)
                     : static_cast<InputBytes*>(self)->read({out, static_cast<std::size_t>(size)});
}

std::int64_t InputBytes::on_seek(void* self, std::int64_t offset, int whence) {
    auto& input = *static_cast<InputBytes*>(self);
    switch (whence & ~AVSEEK_FORCE) {
        case AVSEEK_SIZE: {
            const auto size = input.ended_ ? std::optional(input.received_) : input.source_.size();
            return size ? static_cast<std::int64_t>(*size) : AVERROR(ENOSYS);
        }
        case SEEK_SET:
            return input.seek(offset);
        case SEEK_CUR:
            return input.seek(static_cast<std::int64_t>(input.at_) + offset);
        default:
            return AVERROR(ENOSYS);
    }
}

}  // namespace millrace::media
