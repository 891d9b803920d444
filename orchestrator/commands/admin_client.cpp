#include "orchestrator/commands/admin_client.h"

#include <cstdio>

#include <nlohmann/json.hpp>

#include "common/config/exit_code.h"
#include "common/http/client.h"

namespace millrace::orchestrator::commands {

std::variant<nlohmann::json, int> ask(const AdminTarget& target, const std::string& method,
                                      const std::string& path, const nlohmann::json& body) {
    http::ClientRequest request;
    request.method = method;
    request.timeout = target.patience;
    request.url = "http://" + target.address + path;
    if (!target.token.empty())
        request.headers.add("Authorization", "Bearer " + target.token);
    if (method == "POST") {
        request.headers.add("Content-Type", "application/json");
        request.body = body.dump();
    }
    const auto response = http::fetch(request);
    if (!response) {
        std::fprintf(
            stderr,
            "no orchestrator answers at %s (%s); start one, or say where it is with --admin-addr\n",
            target.address.c_str(), response.error().message.c_str());
        return config::kExitUnreachable;
    }
    auto value = nlohmann::json::parse(response->body, nullptr, false);
    if (response->status >= 200 && response->status < 300 && !value.is_discarded())
        return value;
    const std::string detail = value.is_object() ? value.value("detail", std::string("no detail"))
                                                 : std::string("the answer is not JSON");
    std::fprintf(stderr, "the orchestrator at %s says no (%d): %s\n", target.address.c_str(),
                 response->status, detail.c_str());
    return config::kExitBadInput;
}

}  // namespace millrace::orchestrator::commands
