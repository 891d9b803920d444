#pragma once
// Context: libzmq's I/O threads. One per process, made in main before anything that has a socket
// and destroyed last: ending a second context in a process has broken CURVE in the first (libzmq
// #4242).
//
// Thread: any. Owner: main.

namespace millrace::net {

inline constexpr int kIoThreadsMax = 16;

class Context {
public:
    // All encryption happens on the I/O threads; one connection stays on one of them. 1..16.
    explicit Context(int io_threads = 1);
    // Waits until every socket is closed and has sent what its linger time allows (at most 1 s).
    ~Context();
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;

    [[nodiscard]] void* handle() const { return handle_; }

private:
    void* handle_;
};

}  // namespace millrace::net
