#pragma once
// <data-dir>/endpoints.json: the addresses in use, for whoever asked for port 0 and for our own subcommands.
//
// Thread: any; writes a file.

#include <string>

#include "common/base/result.h"

namespace millrace::orchestrator {

struct Endpoints {
    std::string service;
    std::string link;
    std::string payload;
    std::string admin;
};

// Whole or not at all: a reader never sees half a file. The error names --data-dir.
[[nodiscard]] Result<void> write_endpoints(const std::string& data_dir, const Endpoints& endpoints);

}  // namespace millrace::orchestrator
