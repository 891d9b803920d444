#include "orchestrator/commands/commands.h"

#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "common/config/exit_code.h"
#include "common/http/target.h"
#include "orchestrator/commands/table.h"

namespace millrace::orchestrator::commands {
namespace {

using nlohmann::json;

void print_transcoders(const json& list) {
    print_table({"NAME", "STATE", "CAPACITY", "LOAD", "REALTIME", "FAILURES", "RTT MS", "VERSION"},
                rows_of(list, {"name", "state", "capacity", "load", "realtime_ratio", "failures",
                               "rtt_ms", "version"}));
}

void print_sessions(const json& list) {
    print_table({"ID", "STREAM", "TRANSCODER", "OK", "FAILED", "IN FLIGHT", "REALTIME", "EFFORT",
                 "STARTED"},
                rows_of(list, {"id", "stream", "transcoder", "segments_ok", "segments_failed",
                               "in_flight", "realtime_ratio", "effort", "started_at"}));
}

}  // namespace

int status(const AdminTarget& target) {
    return show(target, "GET", "/status", {}, [](const json& value) {
        const json& capacity = value.at("capacity");
        fmt::print("version {}  epoch {}  up {:.0f} s\n", cell(value, "version"),
                   cell(value, "epoch"), value.value("uptime", 0.0));
        fmt::print("sessions {} of {} (binding limit: {})\n\n", cell(capacity, "sessions_active"),
                   cell(capacity, "sessions_max"), cell(capacity, "binding"));
        print_transcoders(value.at("transcoders"));
        fmt::print("\n");
        print_sessions(value.at("sessions"));
    });
}

int sessions(const AdminTarget& target) {
    const auto answer = ask(target, "GET", "/status", {});
    if (const int* code = std::get_if<int>(&answer))
        return *code;
    const json& list = std::get<json>(answer).at("sessions");
    if (target.json)
        fmt::print("{}\n", list.dump(2));
    else
        print_sessions(list);
    return config::kExitDone;
}

int transcoders(const AdminTarget& target) {
    const auto answer = ask(target, "GET", "/status", {});
    if (const int* code = std::get_if<int>(&answer))
        return *code;
    const json& list = std::get<json>(answer).at("transcoders");
    if (target.json)
        fmt::print("{}\n", list.dump(2));
    else
        print_transcoders(list);
    return config::kExitDone;
}

int transcoder(const AdminTarget& target, const std::string& name, const std::string& verb) {
    return show(target, "POST", "/transcoders/" + http::percent_encode(name) + "/" + verb,
                json::object(), [&](const json&) { fmt::print("{}: {}\n", name, verb); });
}

int max_sessions(const AdminTarget& target, const std::string& value) {
    const json wanted = value == "auto" ? json(value) : json(std::stoul(value));
    return show(
        target, "POST", "/max-sessions", {{"max_sessions", wanted}}, [](const json& capacity) {
            fmt::print("sessions {} of {} (binding limit: {})\n", cell(capacity, "sessions_active"),
                       cell(capacity, "sessions_max"), cell(capacity, "binding"));
        });
}

int end_session(const AdminTarget& target, const std::string& id) {
    return show(target, "POST", "/sessions/" + http::percent_encode(id) + "/end", json::object(),
                [&](const json&) { fmt::print("session {} ended\n", id); });
}

int join_token(const AdminTarget& target, Duration ttl, bool once) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(ttl).count();
    return show(target, "POST", "/join-tokens", {{"ttl_s", seconds}, {"once", once}},
                [](const json& made) { fmt::print("{}\n", cell(made, "token")); });
}

int join_token_list(const AdminTarget& target) {
    return show(target, "GET", "/join-tokens", {}, [](const json& list) {
        print_table(
            {"ID", "CREATED", "EXPIRES", "ONCE", "REVOKED", "ENROLLED"},
            rows_of(list, {"id", "created_at", "expires_at", "once", "revoked", "enrolled"}));
    });
}

int join_token_revoke(const AdminTarget& target, const std::string& id) {
    return show(target, "POST", "/join-tokens/" + http::percent_encode(id) + "/revoke",
                json::object(), [&](const json&) { fmt::print("join token {} revoked\n", id); });
}

int stake(const AdminTarget& target) {
    const auto answer = ask(target, "GET", "/status", {});
    if (const int* code = std::get_if<int>(&answer))
        return *code;
    const json& status = std::get<json>(answer);
    const json& stake = status.at("stake");
    if (target.json) {
        fmt::print("{}\n", stake.dump(2));
        return config::kExitDone;
    }
    const json& capacity = status.at("capacity");
    fmt::print("source   {}\nstate    {}\ntokens   {} LPT\nupdated  {}\nround    {}\n",
               cell(stake, "source"), cell(stake, "state"), cell(stake, "tokens"),
               cell(stake, "updated_at"), cell(stake, "round"));
    if (!stake.value("problem", "").empty())
        fmt::print("problem  {}\n", cell(stake, "problem"));
    fmt::print("backs    {} sessions (binding limit: {})\n", cell(capacity.at("limits"), "stake"),
               cell(capacity, "binding"));
    return config::kExitDone;
}

}  // namespace millrace::orchestrator::commands
