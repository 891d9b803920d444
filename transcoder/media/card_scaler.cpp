#include "transcoder/media/card_scaler.h"

#include <algorithm>

#include "transcoder/cuda/device_scaler.h"

namespace millrace::media {
namespace {

constexpr std::int64_t kRowAlignment = 64;  // what encoders like best

const AVHWFramesContext& frames_of(const AVFrame& surface) {
    return *reinterpret_cast<const AVHWFramesContext*>(surface.hw_frames_ctx->data);
}

bool is_ours(const Shape& shape) {
    return !shape.from && (shape.format == AV_PIX_FMT_YUV420P || shape.format == AV_PIX_FMT_NV12);
}

bool stays(const Shape& shape) {
    return shape.format == AV_PIX_FMT_NV12;
}

cuda::SurfaceSpec spec_of(const Shape& shape) {
    return {shape.size, stays(shape) ? cuda::SurfaceFormat::nv12 : cuda::SurfaceFormat::i420};
}

cuda::Surface view_of(const AVFrame& frame) {
    cuda::Surface surface;
    for (int plane = 0; plane < cuda::kPlanesMax; ++plane) {
        surface.planes[plane] = frame.data[plane];
        surface.strides[plane] = frame.linesize[plane];
    }
    return surface;
}

// Out of memory on the card is not out of memory here.
Error of_device(const Error& problem) {
    return error(ErrorKind::device, problem.message);
}

av::FramePtr described_as(const AVFrame& source, const Shape& shape) {
    av::FramePtr frame = av::make_frame();
    MR_CHECK(av_frame_copy_props(frame.get(), &source) >= 0, "out of memory");
    frame->width = shape.size.width;
    frame->height = shape.size.height;
    frame->format = shape.format;
    frame->sample_aspect_ratio = {1, 1};
    frame->color_range = AVCOL_RANGE_MPEG;
    return frame;
}

// A picture in system memory, in a block that holds those of all renditions.
struct Place {
    std::size_t start = 0;
    cuda::SurfaceLayout layout;
    [[nodiscard]] cuda::Surface in(std::uint8_t* block) const { return layout.at(block + start); }
};

// Blocks of memory that the card copies to, used again when no picture in them is.
AVBufferRef* make_block(void* device, std::size_t bytes) {
    auto block = std::make_unique<cuda::HostBuffer>(
        *static_cast<std::shared_ptr<cuda::Device>*>(device), bytes + AV_INPUT_BUFFER_PADDING_SIZE);
    AVBufferRef* made = av_buffer_create(
        block->bytes().data(), bytes,
        [](void* owner, std::uint8_t*) { delete static_cast<cuda::HostBuffer*>(owner); },
        block.get(), 0);
    MR_CHECK(made != nullptr, "out of memory");
    static_cast<void>(block.release());
    return made;
}

void forget_device(void* device) {
    delete static_cast<std::shared_ptr<cuda::Device>*>(device);
}

struct PoolEnd {
    void operator()(AVBufferPool* pool) const { av_buffer_pool_uninit(&pool); }
};
using PoolPtr = std::unique_ptr<AVBufferPool, PoolEnd>;

}  // namespace

// All renditions of sources of one kind.
class CardScaler::Ladder {
public:
    static Result<std::unique_ptr<Ladder>> open(std::shared_ptr<cuda::Device> device,
                                                const cuda::SurfaceSpec& source, bool full_range,
                                                const std::vector<Shape>& shapes) {
        std::vector<cuda::SurfaceSpec> outputs;
        for (const Shape& shape : shapes)
            outputs.push_back(spec_of(shape));
        auto scaler = cuda::DeviceScaler::open(device, {source, full_range, outputs});
        if (!scaler)
            return scaler.error();
        std::unique_ptr<Ladder> ladder(new Ladder(source, full_range, std::move(*scaler)));
        std::size_t bytes = 0;
        for (const Shape& shape : shapes) {
            Place& place = ladder->places_.emplace_back();
            if (stays(shape))
                continue;
            place = {bytes, cuda::lay_out(spec_of(shape), kRowAlignment)};
            bytes += place.layout.bytes;
        }
        if (bytes == 0)
            return ladder;
        auto block = cuda::DeviceBuffer::make(device, bytes);
        if (!block)
            return block.error();
        ladder->block_.emplace(std::move(*block));
        ladder->pool_.reset(
            av_buffer_pool_init2(bytes, new std::shared_ptr<cuda::Device>(std::move(device)),
                                 &make_block, &forget_device));
        MR_CHECK(ladder->pool_ != nullptr, "out of memory");
        return ladder;
    }

    [[nodiscard]] bool takes(const cuda::SurfaceSpec& source, bool full_range) const {
        return source == source_ && full_range == full_range_;
    }
    [[nodiscard]] bool downloads() const { return block_.has_value(); }

    // Fills `made`, whose frames on the card have their surfaces; enqueued, not waited for.
    Result<void> enqueue(const AVFrame& surface, std::span<Picture::Version> made) {
        av::BufferPtr here(pool_ ? av_buffer_pool_get(pool_.get()) : nullptr);
        MR_CHECK(here != nullptr || !pool_, "out of memory for pictures");
        std::vector<cuda::Surface> to;
        for (std::size_t n = 0; n < made.size(); ++n) {
            AVFrame& frame = *made[n].frame;
            if (!stays(made[n].shape))
                put_in(frame, places_[n], *here);
            to.push_back(stays(made[n].shape) ? view_of(frame) : places_[n].in(block_->data()));
        }
        MR_TRY(scaler_->enqueue(view_of(surface), to));
        return here ? block_->enqueue_download({here->data, block_->size()}) : Result<void>();
    }

private:
    Ladder(const cuda::SurfaceSpec& source, bool full_range,
           std::unique_ptr<cuda::DeviceScaler> scaler)
        : source_(source), full_range_(full_range), scaler_(std::move(scaler)) {}

    static void put_in(AVFrame& frame, const Place& place, AVBufferRef& block) {
        frame.buf[0] = av_buffer_ref(&block);
        MR_CHECK(frame.buf[0] != nullptr, "out of memory");
        const cuda::Surface surface = place.in(block.data);
        for (int plane = 0; plane < cuda::kPlanesMax; ++plane) {
            frame.data[plane] = surface.planes[plane];
            frame.linesize[plane] = static_cast<int>(surface.strides[plane]);
        }
    }

    cuda::SurfaceSpec source_;
    bool full_range_;
    std::unique_ptr<cuda::DeviceScaler> scaler_;
    std::vector<Place> places_;                // of each shape in the block
    std::optional<cuda::DeviceBuffer> block_;  // none: nothing goes to system memory
    PoolPtr pool_;
};

bool scales_pictures(const Gpu& gpu) {
    return gpu.kernel() != nullptr && works(gpu.stages(), GpuStageKind::scale, kOurScaler);
}

CardScaler::CardScaler(std::shared_ptr<Gpu> gpu, std::vector<Shape> shapes,
                       av::Orientation orientation)
    : gpu_(std::move(gpu)) {
    for (const Shape& shape : shapes) {
        if (!is_ours(shape))
            others_ = true;
        else if (std::ranges::find(ours_, shape) == ours_.end())
            ours_.push_back(shape);
    }
    if (!orientation.upright())
        never_ = "the source is turned";
    else if (ours_.empty())
        never_ = "no rendition is plain 4:2:0 with 8 bits";
    else if (ours_.size() > cuda::ScalePlan::kOutputsMax)
        never_ = "too many sizes";
}

CardScaler::~CardScaler() = default;

std::string CardScaler::reason_against(const AVFrame& surface) const {
    if (!never_.empty())
        return never_;
    if (needs_tone_map(colour_of(surface)))
        return "the source is HDR";
    const AVPixelFormat format = frames_of(surface).sw_format;
    return format == AV_PIX_FMT_NV12 || format == AV_PIX_FMT_P010
               ? std::string()
               : std::string("surfaces are ") + av_get_pix_fmt_name(format);
}

Result<CardScaler::Ladder*> CardScaler::ladder_for(const AVFrame& surface) {
    const cuda::SurfaceSpec source{{surface.width, surface.height},
                                   frames_of(surface).sw_format == AV_PIX_FMT_P010
                                       ? cuda::SurfaceFormat::p010
                                       : cuda::SurfaceFormat::nv12};
    const bool full_range = surface.color_range == AVCOL_RANGE_JPEG;
    if (!made_ || !made_->takes(source, full_range)) {
        auto opened = Ladder::open(gpu_->kernel(), source, full_range, ours_);
        if (!opened)
            return of_device(opened.error());
        made_ = std::move(*opened);
    }
    return made_.get();
}

Result<av::FramePtr> CardScaler::fetched(const AVFrame& surface) {
    ++downloads_;
    return download(surface);
}

Result<void> CardScaler::bring_whole(Picture& picture, std::string reason) {
    reason_ = std::move(reason);
    auto here = fetched(picture.source());
    if (!here)
        return here.error();
    picture.bring(std::move(*here), {});
    return {};
}

Result<void> CardScaler::bring(Picture& picture) {
    const AVFrame& surface = picture.source();
    if (std::string reason = reason_against(surface); !reason.empty())
        return bring_whole(picture, std::move(reason));
    auto ladder = ladder_for(surface);
    if (!ladder)
        return ladder.error();
    std::vector<Picture::Version> made;
    for (const Shape& shape : ours_) {
        av::FramePtr frame = described_as(surface, shape);
        if (stays(shape)) {
            auto& pool = surfaces_[{shape.size.width, shape.size.height}];
            MR_TRY(give_surface(*frame, gpu_->device(), pool));
        }
        made.push_back({shape, std::move(frame)});
    }
    if (const auto enqueued = (*ladder)->enqueue(surface, made); !enqueued)
        return of_device(enqueued.error());
    // The decoder may have its surface back only when nobody reads it any more.
    if (const auto done = gpu_->kernel()->wait(); !done)
        return of_device(done.error());
    ++scaled_;
    downloads_ += (*ladder)->downloads() ? 1 : 0;
    auto here = others_ ? fetched(surface) : Result(without_card(surface));
    if (!here)
        return here.error();
    picture.bring(std::move(*here), std::move(made));
    return {};
}

}  // namespace millrace::media
