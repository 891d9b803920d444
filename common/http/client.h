#pragma once
// A small blocking HTTP client for subcommands and tests, over libcurl. Bounded in time and size.
//
// Thread: any; each call has its own connection.

#include <cstdint>
#include <stop_token>
#include <string>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/http/message.h"

namespace millrace::http {

struct ClientRequest {
    std::string method = "GET";
    std::string url;
    Headers headers = {};
    std::string body = {};
    Duration timeout = std::chrono::seconds(10);  // for the whole exchange
    std::size_t answer_bytes_max = 64 * 1024 * 1024;
    std::string ca_file = {};  // trust these certificates instead of the system's
    // Ends the exchange within about a second once it is requested: `disconnected`.
    std::stop_token cancelled = {};
};

struct ClientResponse {
    int status = 0;
    Headers headers;
    std::string body;
};

// disconnected: nobody listens there, or the connection broke. timeout: as named. bad_input: the
// URL is wrong or the answer is larger than allowed. An HTTP error status is a response, not an
// error.
[[nodiscard]] Result<ClientResponse> fetch(const ClientRequest& request);

}  // namespace millrace::http
