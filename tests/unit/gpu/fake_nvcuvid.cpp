// A library that plays libnvcuvid.so.1: a decoder unit for VP8 and VP9 alone, whose pictures come from
// FFmpeg's software decoders (NVDEC gets these two codecs' pictures whole) and lie in the machine's
// memory, where fake_cuda.cpp's device has its own. Other codecs are refused, as old cards do.
//
// CUDA_FAKE (fake_fault.h) from the fifth picture on: "dies" (the unit fails), "stalls" (nothing comes
// back), "falls" (takes the process along).
//
// With each decoder it asks of the kernel what NVIDIA's driver does (fake_kernel_calls.h).

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <vector>

#include <poll.h>

#include "tests/unit/gpu/fake_fault.h"
#include "tests/unit/gpu/fake_kernel_calls.h"

extern "C" {
#include <libavcodec/avcodec.h>
}

namespace {

constexpr int kSuccess = 0;
constexpr int kNotSupported = 801;
constexpr int kLaunchFailed = 719;
constexpr int kVp8 = 9;
constexpr int kVp9 = 10;
constexpr unsigned kPitch = 4096;
constexpr int kPicturesBeforeDeath = 4;

// The beginnings of CUVIDDECODECREATEINFO and CUVIDPICPARAMS.
struct CreateInfo {
    unsigned long width, height, surfaces;
    int codec, chroma;
    unsigned long flags, depth_minus_8, intra_only, max_width, max_height, reserved;
    short area[4];
    int format, deinterlacing;
    unsigned long target_width, target_height, outputs;
};
struct PictureParameters {
    int width_in_mbs, height_in_mbs, index, field, bottom, second;
    unsigned bytes;
    const std::uint8_t* bitstream;
};

struct Unit {
    AVCodecContext* context = nullptr;
    unsigned long height = 0;
    std::vector<std::vector<std::uint8_t>> surfaces;
    int mapped = 0;
    int outputs = 0;
    int pictures = 0;
};

void keep(Unit& unit, int index, const AVFrame& frame) {
    std::vector<std::uint8_t>& surface = unit.surfaces.at(static_cast<std::size_t>(index));
    surface.assign(kPitch * unit.height * 3 / 2, 0);
    for (int y = 0; y < frame.height; ++y)
        std::copy_n(frame.data[0] + y * frame.linesize[0], frame.width,
                    surface.data() + kPitch * static_cast<unsigned>(y));
    std::uint8_t* chroma = surface.data() + kPitch * unit.height;
    for (int y = 0; y < (frame.height + 1) / 2; ++y)
        for (int x = 0; x < (frame.width + 1) / 2; ++x)
            for (int plane = 1; plane < 3; ++plane)
                chroma[static_cast<int>(kPitch) * y + 2 * x + plane - 1] =
                    frame.data[plane][y * frame.linesize[plane] + x];
}

void fall() {
    std::signal(SIGSEGV, SIG_DFL);  // not the sanitizer's report
    std::raise(SIGSEGV);
}

}  // namespace

extern "C" {

int cuvidCreateDecoder(void** made, CreateInfo* info) {
    if (info->codec != kVp8 && info->codec != kVp9)
        return kNotSupported;
    ask_the_kernel();
    const AVCodec* codec =
        avcodec_find_decoder(info->codec == kVp8 ? AV_CODEC_ID_VP8 : AV_CODEC_ID_VP9);
    auto* unit = new Unit;
    unit->context = avcodec_alloc_context3(codec);
    unit->context->thread_count = 1;
    unit->height = info->target_height;
    unit->outputs = static_cast<int>(info->outputs);
    unit->surfaces.resize(info->surfaces);
    avcodec_open2(unit->context, codec, nullptr);
    *made = unit;
    return kSuccess;
}
int cuvidDestroyDecoder(Unit* unit) {
    avcodec_free_context(&unit->context);
    delete unit;
    return kSuccess;
}
int cuvidDecodePicture(Unit* unit, const PictureParameters* parameters) {
    if (unit->pictures >= kPicturesBeforeDeath) {
        if (fake_fault("dies"))
            return kLaunchFailed;
        while (fake_fault("stalls"))
            poll(nullptr, 0, 100);
        if (fake_fault("falls"))
            fall();
    }
    ++unit->pictures;
    AVPacket* packet = av_packet_alloc();
    av_new_packet(packet, static_cast<int>(parameters->bytes));
    std::copy_n(parameters->bitstream, parameters->bytes, packet->data);
    AVFrame* frame = av_frame_alloc();
    if (avcodec_send_packet(unit->context, packet) >= 0 &&
        avcodec_receive_frame(unit->context, frame) >= 0)
        keep(*unit, parameters->index, *frame);
    av_frame_free(&frame);
    av_packet_free(&packet);
    return kSuccess;
}
int cuvidMapVideoFrame64(Unit* unit, int index, unsigned long long* device, unsigned* pitch,
                         void*) {
    if (unit->mapped >= unit->outputs)
        return kNotSupported;  // a card has no more of them, either
    ++unit->mapped;
    *device = reinterpret_cast<unsigned long long>(
        unit->surfaces.at(static_cast<std::size_t>(index)).data());
    *pitch = kPitch;
    return kSuccess;
}
int cuvidUnmapVideoFrame64(Unit* unit, unsigned long long) {
    --unit->mapped;
    return kSuccess;
}

#define NOT_SUPPORTED(name)   \
    int name() {              \
        return kNotSupported; \
    }
NOT_SUPPORTED(cuvidGetDecodeStatus)
NOT_SUPPORTED(cuvidReconfigureDecoder)
NOT_SUPPORTED(cuvidCtxLockCreate)
NOT_SUPPORTED(cuvidCtxLockDestroy)
NOT_SUPPORTED(cuvidCtxLock)
NOT_SUPPORTED(cuvidCtxUnlock)
NOT_SUPPORTED(cuvidCreateVideoSource)
NOT_SUPPORTED(cuvidCreateVideoSourceW)
NOT_SUPPORTED(cuvidDestroyVideoSource)
NOT_SUPPORTED(cuvidSetVideoSourceState)
NOT_SUPPORTED(cuvidGetVideoSourceState)
NOT_SUPPORTED(cuvidGetSourceVideoFormat)
NOT_SUPPORTED(cuvidGetSourceAudioFormat)
NOT_SUPPORTED(cuvidCreateVideoParser)
NOT_SUPPORTED(cuvidParseVideoData)
NOT_SUPPORTED(cuvidDestroyVideoParser)

}  // extern "C"
