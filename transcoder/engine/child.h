#pragma once
// A child process and how it ended: started from an executable, held by a pidfd, so that it can be
// watched like any descriptor and never be confused with another process of the same number.
//
// The child gets one socket, a pipe for its last words, stderr and a few harmless variables of the environment; secrets that
// the transcoder was given there stay with the transcoder.
//
// Thread: its owner's, which must live as long as the process does: the kernel ends the child with
// the thread that started it.

#include <string>

#include <sys/types.h>

#include "common/base/result.h"
#include "common/runtime/descriptor.h"
#include "transcoder/engine/memory_bound.h"

namespace millrace::engine {

enum class EndKind : std::uint8_t {
    killed_by_us,
    crashed,
    out_of_memory,
    forbidden_call,
    no_walls,   // it could not be walled in, and did not start
    no_device,  // likewise, as its driver does not give it the GPU
    exited
};

struct ChildEnd {
    EndKind kind = EndKind::exited;
    int number = 0;  // signal, exit code, system call (-1 = not known), or errno of no_walls
    [[nodiscard]] std::string sentence() const;
};

class Child {
public:
    // Runs `executable __engine 3` with one end of a new socket pair as descriptor 3, and the pipe as
    // descriptor 4. `gpu`: the UUID of the only one that it sees; empty: none.
    [[nodiscard]] static Result<Child> start(const std::string& executable,
                                             const std::string& gpu = "");
    // Kills and reaps what still runs.
    ~Child();
    Child(Child&&) noexcept = default;
    Child& operator=(Child&&) noexcept;

    [[nodiscard]] int socket() const { return socket_.get(); }  // non-blocking
    [[nodiscard]] int pidfd() const { return pidfd_.get(); }    // readable once it has ended
    [[nodiscard]] pid_t pid() const { return pid_; }

    void kill();
    // Once its walls stand; up to kMemoryBytesMax. Without effect where memory cannot be limited.
    void allow_memory(std::uint64_t bytes);
    // All its threads behind everybody who wants a core. For good: the way back takes a privilege.
    void step_back();
    // After pidfd() became readable: reaps it. Waits if it has not ended yet.
    [[nodiscard]] ChildEnd reap();

private:
    Child(Descriptor socket, Descriptor words, Descriptor pidfd, pid_t pid, std::uint64_t drivers)
        : socket_(std::move(socket)),
          words_(std::move(words)),
          pidfd_(std::move(pidfd)),
          pid_(pid),
          drivers_(drivers) {}
    [[nodiscard]] int last_words(int if_none) const;

    Descriptor socket_;
    Descriptor words_;
    Descriptor pidfd_;
    pid_t pid_ = -1;
    bool killed_ = false;
    std::uint64_t drivers_ = 0;                  // memory beside what its tasks may use
    std::uint64_t memory_bytes_ = kMemoryBytes;  // they may use
};

}  // namespace millrace::engine
