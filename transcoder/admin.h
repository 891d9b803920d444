#pragma once
// The transcoder's admin door: /metrics, /healthz, /readyz, /status. Read only.
//
// /status needs the admin token (in <data-dir>/admin.token) when the port is bound beyond loopback;
// the rest is open wherever it is bound.
//
// Thread: made and destroyed by run; answers are made on the loop. Owner: run, destroyed before the
// service.

#include <memory>
#include <string>

#include "common/base/result.h"
#include "common/net/keys.h"
#include "common/runtime/loop.h"
#include "transcoder/gpu/gpu_watch.h"
#include "transcoder/service.h"
#include "transcoder/task_metrics.h"

namespace millrace::transcoder {

struct AdminOptions {
    std::string address;  // HOST:PORT
    net::Secret<std::string> token;
    std::string name;
    std::string version;
};

class Admin {
public:
    // The error says why the address cannot be had.
    [[nodiscard]] static Result<std::unique_ptr<Admin>> start(Loop& loop, Service& service,
                                                              TaskMetrics& metrics,
                                                              const gpu::Watch& gpus,
                                                              AdminOptions options);
    ~Admin();

    [[nodiscard]] const std::string& endpoint() const;  // as bound

private:
    class Impl;
    explicit Admin(std::shared_ptr<Impl> impl);
    std::shared_ptr<Impl> impl_;
};

}  // namespace millrace::transcoder
