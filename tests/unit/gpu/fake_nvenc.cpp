// A library that plays libnvidia-encode.so.1: an encoder unit for H.264 alone, whose pictures lie in the
// machine's memory (fake_cuda.cpp) and are encoded by libx264. Every picture comes out at once, as NVENC's
// do without B-frames.
//
// CUDA_FAKE (fake_fault.h): "taken" (no session is free), "taken-later" (none is for engines, while the trial before found
// one), "three" (no more than three at once, in each process), "jams" (the fifth picture fails).

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include <ffnvcodec/nvEncodeAPI.h>

#include "tests/unit/gpu/fake_fault.h"
#include "tests/unit/gpu/fake_kernel_calls.h"

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavutil/opt.h>
}

namespace {

constexpr int kPicturesBeforeJam = 4;
constexpr int kFewSessions = 3;
constexpr std::size_t kCaptionHeader = 10;  // of an ATSC A/53 message, before its cc_data

// GUIDs have no operator.
bool same(const GUID& one, const GUID& other) {
    return std::memcmp(&one, &other, sizeof one) == 0;
}

struct Resource {
    const std::uint8_t* data;
    std::size_t pitch;
    std::uint32_t height;
};
struct Bitstream {
    std::vector<std::uint8_t> bytes;
    std::uint64_t time = 0;
    bool key = false;
};
struct Unit {
    AVCodecContext* context = nullptr;
    int pictures = 0;
    int mapped = 0;
};

std::atomic<int> sessions_open = 0;

Unit& unit_of(void* encoder) {
    return *static_cast<Unit*>(encoder);
}

NVENCSTATUS open_session(NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS* parameters, void** encoder) {
    if (parameters->deviceType != NV_ENC_DEVICE_TYPE_CUDA || parameters->device == nullptr)
        return NV_ENC_ERR_UNSUPPORTED_DEVICE;
    if (fake_fault("taken") || (fake_fault("taken-later") && in_an_engine()))
        return NV_ENC_ERR_OUT_OF_MEMORY;
    if (fake_fault("three") && sessions_open >= kFewSessions)
        return NV_ENC_ERR_OUT_OF_MEMORY;
    ++sessions_open;
    ask_the_kernel();
    *encoder = new Unit;
    return NV_ENC_SUCCESS;
}
NVENCSTATUS count_codecs(void*, std::uint32_t* count) {
    *count = 1;
    return NV_ENC_SUCCESS;
}
NVENCSTATUS list_codecs(void*, GUID* codecs, std::uint32_t, std::uint32_t* count) {
    codecs[0] = NV_ENC_CODEC_H264_GUID;
    *count = 1;
    return NV_ENC_SUCCESS;
}
NVENCSTATUS capability(void*, GUID, NV_ENC_CAPS_PARAM* asked, int* value) {
    switch (asked->capsToQuery) {
        case NV_ENC_CAPS_WIDTH_MAX:
        case NV_ENC_CAPS_HEIGHT_MAX:
            *value = 4096;
            break;
        default:
            *value = 1;
    }
    return NV_ENC_SUCCESS;
}
NVENCSTATUS preset_config(void*, GUID, GUID, NV_ENC_TUNING_INFO, NV_ENC_PRESET_CONFIG* config) {
    config->presetCfg.gopLength = 250;
    config->presetCfg.frameIntervalP = 1;
    return NV_ENC_SUCCESS;
}

void set_rate(AVCodecContext& to, const NV_ENC_RC_PARAMS& rate) {
    if (rate.rateControlMode != NV_ENC_PARAMS_RC_CBR) {
        av_opt_set_int(to.priv_data, "crf", std::max<int>(rate.targetQuality, 1), 0);
        return;
    }
    to.bit_rate = rate.averageBitRate;
    to.rc_max_rate = rate.averageBitRate;
    to.rc_buffer_size = static_cast<int>(rate.vbvBufferSize);
    to.rc_initial_buffer_occupancy = static_cast<int>(rate.vbvInitialDelay);
}

NVENCSTATUS initialize(void* encoder, NV_ENC_INITIALIZE_PARAMS* asked) {
    const NV_ENC_CONFIG& config = *asked->encodeConfig;
    if (!same(asked->encodeGUID, NV_ENC_CODEC_H264_GUID) || config.frameIntervalP > 1)
        return NV_ENC_ERR_UNSUPPORTED_PARAM;
    const AVCodec* codec = avcodec_find_encoder_by_name("libx264");
    AVCodecContext* context = avcodec_alloc_context3(codec);
    context->width = static_cast<int>(asked->encodeWidth);
    context->height = static_cast<int>(asked->encodeHeight);
    context->pix_fmt = AV_PIX_FMT_NV12;
    context->time_base = {static_cast<int>(asked->frameRateDen),
                          static_cast<int>(asked->frameRateNum)};
    context->gop_size = static_cast<int>(std::min(config.gopLength, 1U << 30));
    context->keyint_min = context->gop_size / 2;
    context->thread_count = 1;
    if (config.encodeCodecConfig.h264Config.disableSPSPPS != 0)
        context->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    av_opt_set(context->priv_data, "preset", "ultrafast", 0);
    av_opt_set(context->priv_data, "tune", "zerolatency", 0);
    av_opt_set_int(context->priv_data, "forced-idr", 1, 0);
    av_opt_set_int(context->priv_data, "aud", config.encodeCodecConfig.h264Config.outputAUD, 0);
    set_rate(*context, config.rcParams);
    unit_of(encoder).context = context;
    return avcodec_open2(context, codec, nullptr) >= 0 ? NV_ENC_SUCCESS : NV_ENC_ERR_INVALID_PARAM;
}
NVENCSTATUS headers(void* encoder, NV_ENC_SEQUENCE_PARAM_PAYLOAD* to) {
    const AVCodecContext& context = *unit_of(encoder).context;
    const auto size = static_cast<std::uint32_t>(context.extradata_size);
    if (size > to->inBufferSize)
        return NV_ENC_ERR_INVALID_PARAM;
    std::memcpy(to->spsppsBuffer, context.extradata, size);
    *to->outSPSPPSPayloadSize = size;
    return NV_ENC_SUCCESS;
}

NVENCSTATUS set_streams(void*, NV_ENC_CUSTREAM_PTR, NV_ENC_CUSTREAM_PTR) {
    return NV_ENC_SUCCESS;
}
NVENCSTATUS create_bitstream(void*, NV_ENC_CREATE_BITSTREAM_BUFFER* made) {
    made->bitstreamBuffer = new Bitstream;
    return NV_ENC_SUCCESS;
}
NVENCSTATUS destroy_bitstream(void*, NV_ENC_OUTPUT_PTR bitstream) {
    delete static_cast<Bitstream*>(bitstream);
    return NV_ENC_SUCCESS;
}
NVENCSTATUS register_resource(void*, NV_ENC_REGISTER_RESOURCE* resource) {
    if (resource->bufferFormat != NV_ENC_BUFFER_FORMAT_NV12)
        return NV_ENC_ERR_UNSUPPORTED_PARAM;
    resource->registeredResource =
        new Resource{static_cast<const std::uint8_t*>(resource->resourceToRegister),
                     resource->pitch, resource->height};
    return NV_ENC_SUCCESS;
}
NVENCSTATUS unregister_resource(void*, NV_ENC_REGISTERED_PTR resource) {
    delete static_cast<Resource*>(resource);
    return NV_ENC_SUCCESS;
}
NVENCSTATUS map(void* encoder, NV_ENC_MAP_INPUT_RESOURCE* asked) {
    ++unit_of(encoder).mapped;
    asked->mappedResource = asked->registeredResource;
    asked->mappedBufferFmt = NV_ENC_BUFFER_FORMAT_NV12;
    return NV_ENC_SUCCESS;
}
NVENCSTATUS unmap(void* encoder, NV_ENC_INPUT_PTR) {
    --unit_of(encoder).mapped;
    return NV_ENC_SUCCESS;
}

void add_captions(AVFrame& frame, const NV_ENC_PIC_PARAMS_H264& parameters) {
    for (std::uint32_t n = 0; n < parameters.seiPayloadArrayCnt; ++n) {
        const NV_ENC_SEI_PAYLOAD& sei = parameters.seiPayloadArray[n];
        if (sei.payloadType != 4 || sei.payloadSize <= kCaptionHeader + 1)
            continue;
        const std::size_t size = sei.payloadSize - kCaptionHeader - 1;  // and a marker
        AVFrameSideData* captions = av_frame_new_side_data(&frame, AV_FRAME_DATA_A53_CC, size);
        std::memcpy(captions->data, sei.payload + kCaptionHeader, size);
    }
}

AVFrame* picture_of(const AVCodecContext& context, const NV_ENC_PIC_PARAMS& asked, int number) {
    const auto& from = *static_cast<const Resource*>(asked.inputBuffer);
    AVFrame* frame = av_frame_alloc();
    frame->width = context.width;
    frame->height = context.height;
    frame->format = AV_PIX_FMT_NV12;
    frame->pts = number;
    frame->pict_type = (asked.encodePicFlags & NV_ENC_PIC_FLAG_FORCEIDR) != 0
                           ? AV_PICTURE_TYPE_I
                           : AV_PICTURE_TYPE_NONE;
    av_frame_get_buffer(frame, 0);
    const auto copy = [&](int plane, const std::uint8_t* base, int rows) {
        for (int row = 0; row < rows; ++row)
            std::memcpy(frame->data[plane] + row * frame->linesize[plane],
                        base + from.pitch * static_cast<std::size_t>(row),
                        static_cast<std::size_t>((frame->width + 1) / 2 * 2));
    };
    copy(0, from.data, frame->height);
    copy(1, from.data + from.pitch * from.height, (frame->height + 1) / 2);
    add_captions(*frame, asked.codecPicParams.h264PicParams);
    return frame;
}

NVENCSTATUS encode(void* encoder, NV_ENC_PIC_PARAMS* asked) {
    Unit& unit = unit_of(encoder);
    if ((asked->encodePicFlags & NV_ENC_PIC_FLAG_EOS) != 0)
        return NV_ENC_SUCCESS;
    if (unit.pictures >= kPicturesBeforeJam && fake_fault("jams"))
        return NV_ENC_ERR_GENERIC;
    if (unit.mapped <= 0)
        return NV_ENC_ERR_RESOURCE_NOT_MAPPED;
    AVFrame* frame = picture_of(*unit.context, *asked, unit.pictures++);
    AVPacket* packet = av_packet_alloc();
    const bool made = avcodec_send_frame(unit.context, frame) >= 0 &&
                      avcodec_receive_packet(unit.context, packet) >= 0;
    if (made)
        *static_cast<Bitstream*>(asked->outputBitstream) = {
            {packet->data, packet->data + packet->size},
            asked->inputTimeStamp,
            (packet->flags & AV_PKT_FLAG_KEY) != 0};
    av_packet_free(&packet);
    av_frame_free(&frame);
    return made ? NV_ENC_SUCCESS : NV_ENC_ERR_GENERIC;
}
NVENCSTATUS lock(void*, NV_ENC_LOCK_BITSTREAM* asked) {
    auto& bitstream = *static_cast<Bitstream*>(asked->outputBitstream);
    asked->bitstreamBufferPtr = bitstream.bytes.data();
    asked->bitstreamSizeInBytes = static_cast<std::uint32_t>(bitstream.bytes.size());
    asked->outputTimeStamp = bitstream.time;
    asked->pictureType = bitstream.key ? NV_ENC_PIC_TYPE_IDR : NV_ENC_PIC_TYPE_P;
    asked->frameAvgQP = 20;
    return NV_ENC_SUCCESS;
}
NVENCSTATUS unlock(void*, NV_ENC_OUTPUT_PTR) {
    return NV_ENC_SUCCESS;
}
NVENCSTATUS destroy(void* encoder) {
    avcodec_free_context(&unit_of(encoder).context);
    --sessions_open;
    delete static_cast<Unit*>(encoder);
    return NV_ENC_SUCCESS;
}
const char* last_error(void*) {
    return "a fake does not tell";
}

}  // namespace

extern "C" {

NVENCSTATUS NVENCAPI NvEncodeAPIGetMaxSupportedVersion(std::uint32_t* version) {
    *version = NVENCAPI_MAJOR_VERSION << 4 | NVENCAPI_MINOR_VERSION;
    return NV_ENC_SUCCESS;
}

NVENCSTATUS NVENCAPI NvEncodeAPICreateInstance(NV_ENCODE_API_FUNCTION_LIST* list) {
    list->nvEncOpenEncodeSessionEx = &open_session;
    list->nvEncGetEncodeGUIDCount = &count_codecs;
    list->nvEncGetEncodeGUIDs = &list_codecs;
    list->nvEncGetEncodeCaps = &capability;
    list->nvEncGetEncodePresetConfigEx = &preset_config;
    list->nvEncInitializeEncoder = &initialize;
    list->nvEncGetSequenceParams = &headers;
    list->nvEncSetIOCudaStreams = &set_streams;
    list->nvEncCreateBitstreamBuffer = &create_bitstream;
    list->nvEncDestroyBitstreamBuffer = &destroy_bitstream;
    list->nvEncRegisterResource = &register_resource;
    list->nvEncUnregisterResource = &unregister_resource;
    list->nvEncMapInputResource = &map;
    list->nvEncUnmapInputResource = &unmap;
    list->nvEncEncodePicture = &encode;
    list->nvEncLockBitstream = &lock;
    list->nvEncUnlockBitstream = &unlock;
    list->nvEncDestroyEncoder = &destroy;
    list->nvEncGetLastErrorString = &last_error;
    return NV_ENC_SUCCESS;
}

}  // extern "C"
