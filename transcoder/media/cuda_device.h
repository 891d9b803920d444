#pragma once
// The GPU of this process, as FFmpeg holds it: its primary context, which all decoders, filters and
// encoders of the process share. (LPMS makes a context for each session, and falls over.)
//
// Which GPU that is was decided by whoever started the process (CUDA_VISIBLE_DEVICES): a process
// has one.
//
// Thread: any; the buffer counts its references.

#include "transcoder/media/av.h"

namespace millrace::media {

// unsupported: no driver; device: the driver does not give us the GPU.
[[nodiscard]] Result<av::BufferPtr> open_cuda_device();

// FFmpeg closes the decoder's and the encoder's library with each of them and opens it for the next one. This keeps
// the libraries of the driver in the process, where they are found by name without a file.
void keep_driver_libraries();

// A pool of surfaces of that size; `format` as it would be in system memory.
[[nodiscard]] Result<av::BufferPtr> make_cuda_surfaces(AVBufferRef& device, Size size,
                                                       AVPixelFormat format);

// A surface of that pool for a frame that has its size and properties; makes the pool (NV12) where it is
// null.
[[nodiscard]] Result<void> give_surface(AVFrame& frame, AVBufferRef& device, av::BufferPtr& pool);

// A picture to the surface of a pool, or from a surface to system memory, with its properties.
[[nodiscard]] Result<av::FramePtr> upload(const AVFrame& picture, AVBufferRef& surfaces);
[[nodiscard]] Result<av::FramePtr> download(const AVFrame& surface);

// What is known of a surface, in the format it would have in system memory, and nothing of its memory.
[[nodiscard]] av::FramePtr without_card(const AVFrame& surface);

}  // namespace millrace::media
