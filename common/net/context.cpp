#include "common/net/context.h"

#include <algorithm>
#include <cerrno>

#include <zmq.h>

#include "common/base/check.h"

namespace millrace::net {

Context::Context(int io_threads) : handle_(zmq_ctx_new()) {
    MR_CHECK(handle_ != nullptr, "libzmq makes a context");
    MR_CHECK(zmq_has("curve") == 1, "libzmq was built with CURVE");
    zmq_ctx_set(handle_, ZMQ_IO_THREADS, std::clamp(io_threads, 1, kIoThreadsMax));
    // Sockets linger only where we say so; libzmq's default is for ever.
    zmq_ctx_set(handle_, ZMQ_BLOCKY, 0);
}

Context::~Context() {
    while (zmq_ctx_term(handle_) != 0 && errno == EINTR) {
    }
}

}  // namespace millrace::net
