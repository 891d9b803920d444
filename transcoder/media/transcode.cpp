#include "transcoder/media/transcode.h"

#include "transcoder/media/pipeline.h"

namespace millrace::media {

Result<TranscodeReport> transcode(ByteSource& source, const TranscodeRequest& request,
                                  TranscodeObserver& observer, const CancelToken& cancel) {
    Pipeline pipeline(source, request, observer, cancel);
    return pipeline.run();
}

}  // namespace millrace::media
