// account add|list|remove and token-key list|rotate.

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "common/http/target.h"
#include "orchestrator/commands/commands.h"
#include "orchestrator/commands/table.h"

namespace millrace::orchestrator::commands {
namespace {

using nlohmann::json;

template <class T>
void put_limit(json& body, const char* key, const std::optional<T>& limit) {
    if (limit)
        body[key] = *limit;
}

}  // namespace

int account_add(const AdminTarget& target, const std::string& name, const AccountLimits& limits,
                const std::vector<std::string>& streams) {
    json body{{"name", name}, {"streams", streams}};
    put_limit(body, "max_sessions", limits.sessions);
    put_limit(body, "max_segments_per_minute", limits.segments_per_minute);
    put_limit(body, "max_bytes_per_second", limits.bytes_per_second);
    put_limit(body, "max_pixels_per_second", limits.pixels_per_second);
    return show(target, "POST", "/accounts", body,
                [](const json& made) { fmt::print("{}\n", cell(made, "key")); });
}

int account_list(const AdminTarget& target) {
    return show(target, "GET", "/accounts", {}, [](const json& list) {
        print_table(
            {"NAME", "CREATED", "SESSIONS", "SEGMENTS/MIN", "BYTES/S", "PIXELS/S", "STREAMS"},
            rows_of(list, {"name", "created_at", "max_sessions", "max_segments_per_minute",
                           "max_bytes_per_second", "max_pixels_per_second", "streams"}));
    });
}

int account_remove(const AdminTarget& target, const std::string& name) {
    return show(target, "POST", "/accounts/" + http::percent_encode(name) + "/remove",
                json::object(), [&](const json&) { fmt::print("account {} removed\n", name); });
}

int token_key_list(const AdminTarget& target) {
    return show(target, "GET", "/token-keys", {}, [](const json& list) {
        print_table({"ID", "CREATED", "SIGNS", "RETIRES"},
                    rows_of(list, {"id", "created_at", "signs", "retires_at"}));
    });
}

int token_key_rotate(const AdminTarget& target) {
    return show(target, "POST", "/token-keys/rotate", json::object(), [](const json& made) {
        fmt::print("token key {} signs from now on\n", cell(made, "id"));
    });
}

}  // namespace millrace::orchestrator::commands
