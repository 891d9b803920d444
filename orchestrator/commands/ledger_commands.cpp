// ledger, ledger close, ledger periods: asked of a running orchestrator.

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "common/config/exit_code.h"
#include "common/http/target.h"
#include "orchestrator/commands/commands.h"
#include "orchestrator/commands/table.h"

namespace millrace::orchestrator::commands {
namespace {

using nlohmann::json;

constexpr Duration kPatience = std::chrono::minutes(10);
constexpr std::int64_t kMicro = 1'000'000;

const std::vector<const char*> kSums{"segments",       "seconds",        "decoded_frames",
                                     "decoded_pixels", "encoded_frames", "encoded_pixels",
                                     "source_bytes",   "encoded_bytes"};

// Exact, where a floating-point number would be rounded.
std::string seconds_of(const json& line) {
    const auto us = line.value("duration_us", std::int64_t{0});
    return fmt::format("{}.{:06}", us / kMicro, us % kMicro);
}

std::string sum_of(const json& line, const char* key) {
    return key == std::string_view("seconds") ? seconds_of(line) : cell(line, key);
}

// Who a line is about, by column.
std::vector<const char*> who(const std::string& by) {
    if (by == "transcoder")
        return {"name", "transcoder"};
    if (by == "session")
        return {"stream", "session"};
    return {"account"};
}

// RFC 4180.
std::string csv_cell(const std::string& text) {
    if (text.find_first_of(",\"\r\n") == std::string::npos)
        return text;
    std::string quoted = "\"";
    for (const char c : text)
        quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
    return quoted + "\"";
}

void print_csv(const json& answer, const std::vector<const char*>& columns) {
    std::string text;
    for (const char* column : columns)
        text += (text.empty() ? "" : ",") + std::string(column);
    for (const char* key : kSums)
        text += "," + std::string(key);
    fmt::print("{}\r\n", text);
    for (const json& line : answer.at("lines")) {
        text.clear();
        for (std::size_t i = 0; i < columns.size(); ++i)
            text += (i == 0 ? "" : ",") + csv_cell(line.value(columns[i], std::string()));
        for (const char* key : kSums)
            text += "," + sum_of(line, key);
        fmt::print("{}\r\n", text);
    }
}

void print_sums(const json& answer, const std::vector<const char*>& columns) {
    Row head;
    for (const char* column : columns)
        head.emplace_back(column == std::string_view("transcoder") ? "KEY" : column);
    for (const char* key : {"SEGMENTS", "SECONDS", "DECODED FRAMES", "DECODED PIXELS",
                            "ENCODED FRAMES", "ENCODED PIXELS", "SOURCE BYTES", "ENCODED BYTES"})
        head.emplace_back(key);
    for (std::string& word : head)
        for (char& c : word)
            c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    std::vector<Row> rows;
    const auto add = [&](Row row, const json& line) {
        for (const char* key : kSums)
            row.push_back(sum_of(line, key));
        rows.push_back(std::move(row));
    };
    for (const json& line : answer.at("lines")) {
        Row row;
        for (const char* column : columns)
            row.push_back(cell(line, column));
        add(std::move(row), line);
    }
    Row total{"total"};
    total.resize(columns.size());
    add(std::move(total), answer.at("total"));
    print_table(head, rows);
}

// In a query a plus sign is a space.
std::string query_value(const std::string& text) {
    std::string encoded = http::percent_encode(text);
    for (std::size_t at = encoded.find('+'); at != std::string::npos; at = encoded.find('+', at))
        encoded.replace(at, 1, "%2B");
    return encoded;
}

std::string path_of(const config::LedgerQuestion& question) {
    std::string path = "/ledger?by=" + question.by;
    if (question.period != 0)
        path += "&period=" + std::to_string(question.period);
    if (!question.since.empty())
        path += "&since=" + query_value(question.since);
    if (!question.until.empty())
        path += "&until=" + query_value(question.until);
    return path;
}

AdminTarget patient(AdminTarget target) {
    target.patience = kPatience;
    return target;
}

}  // namespace

int ledger(const AdminTarget& target, const config::LedgerQuestion& question) {
    return show(patient(target), "GET", path_of(question), {}, [&](const json& answer) {
        if (question.csv)
            print_csv(answer, who(question.by));
        else
            print_sums(answer, who(question.by));
    });
}

int ledger_close(const AdminTarget& target, const std::string& until) {
    const json body = until.empty() ? json::object() : json{{"until", until}};
    return show(patient(target), "POST", "/ledger/close", body, [](const json& made) {
        fmt::print("period {} closed: up to {}, {} rows in all, head {}\n", cell(made, "number"),
                   cell(made, "until"), cell(made, "rows"), cell(made, "head"));
    });
}

int ledger_periods(const AdminTarget& target) {
    return show(target, "GET", "/ledger/periods", {}, [](const json& list) {
        print_table({"PERIOD", "FROM", "UNTIL", "CLOSED", "ROWS", "HEAD"},
                    rows_of(list, {"number", "from", "until", "closed_at", "rows", "head"}));
    });
}

}  // namespace millrace::orchestrator::commands
