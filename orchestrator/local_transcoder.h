#pragma once
// --local-transcoder N: a supervised transcoder process on this host that joins like any other, keeps its
// data in <data-dir>/local and ends with the orchestrator (also when the orchestrator is killed).
//
// It is the `transcoder` program beside our own executable (`millrace-transcoder` beside
// `millrace-orchestrator` in the packages). When it dies it is started again, after 0.5 s, then doubling up to
// 10 s while it keeps dying within 10 s.
//
// Thread: orchestrator loop. Owner: main.

#include <memory>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/runtime/log_options.h"

namespace millrace {
class Loop;
}

namespace millrace::orchestrator {

struct LocalTranscoderOptions {
    std::uint32_t slots = 1;
    std::string data_dir;
    std::string control_endpoint;  // HOST:PORT of our control lane
    std::string join_token;        // handed over in the environment, never on the command line
    LogOptions log;
};

class LocalTranscoder {
public:
    LocalTranscoder(Loop& loop, LocalTranscoderOptions options);
    ~LocalTranscoder();  // kills what is left
    LocalTranscoder(const LocalTranscoder&) = delete;
    LocalTranscoder& operator=(const LocalTranscoder&) = delete;

    // An error when there is no transcoder program to start.
    [[nodiscard]] Result<void> start();
    // SIGTERM: it drains and leaves; it is not started again.
    void stop();
    [[nodiscard]] bool running() const;

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::orchestrator
