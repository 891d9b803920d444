#include "orchestrator/commands/commands.h"

#include <algorithm>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "common/config/exit_code.h"
#include "common/http/target.h"

namespace millrace::orchestrator::commands {
namespace {

using nlohmann::json;
using Row = std::vector<std::string>;

// Columns as wide as their widest cell, two blanks apart.
void print_table(const Row& head, const std::vector<Row>& rows) {
    std::vector<std::size_t> widths;
    for (const std::string& cell : head)
        widths.push_back(cell.size());
    for (const Row& row : rows)
        for (std::size_t i = 0; i < row.size(); ++i)
            widths[i] = std::max(widths[i], row[i].size());
    const auto line = [&widths](const Row& row) {
        std::string text;
        for (std::size_t i = 0; i < row.size(); ++i)
            text += fmt::format("{:<{}}{}", row[i], widths[i], i + 1 < row.size() ? "  " : "");
        text.erase(text.find_last_not_of(' ') + 1);
        fmt::print("{}\n", text);
    };
    line(head);
    for (const Row& row : rows)
        line(row);
}

// A JSON value as a table cell: text without quotes, null as a dash.
std::string cell(const json& object, const char* key) {
    const auto found = object.find(key);
    if (found == object.end() || found->is_null())
        return "-";
    if (found->is_number_float())
        return fmt::format("{:.2f}", found->get<double>());
    const std::string text = found->is_string() ? found->get<std::string>() : found->dump();
    return text.empty() ? "-" : text;
}

std::vector<Row> rows_of(const json& list, const std::vector<const char*>& keys) {
    std::vector<Row> rows;
    for (const json& item : list) {
        Row row;
        for (const char* key : keys)
            row.push_back(cell(item, key));
        rows.push_back(std::move(row));
    }
    return rows;
}

// Asks and hands the answer to `print`, unless the caller wants it raw.
template <class Print>
int show(const AdminTarget& target, const std::string& method, const std::string& path,
         const json& body, Print print) {
    const auto answer = ask(target, method, path, body);
    if (const int* code = std::get_if<int>(&answer))
        return *code;
    const json& value = std::get<json>(answer);
    if (target.json)
        fmt::print("{}\n", value.dump(2));
    else
        print(value);
    return config::kExitDone;
}

void print_transcoders(const json& list) {
    print_table({"NAME", "STATE", "CAPACITY", "LOAD", "REALTIME", "FAILURES", "RTT MS", "VERSION"},
                rows_of(list, {"name", "state", "capacity", "load", "realtime_ratio", "failures",
                               "rtt_ms", "version"}));
}

void print_sessions(const json& list) {
    print_table({"ID", "STREAM", "TRANSCODER", "OK", "FAILED", "IN FLIGHT", "REALTIME", "STARTED"},
                rows_of(list, {"id", "stream", "transcoder", "segments_ok", "segments_failed",
                               "in_flight", "realtime_ratio", "started_at"}));
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
