#pragma once
// How subcommands print: tables for people, JSON as it came for programs. Internal to
// orchestrator/commands.
//
// Thread: the caller's; blocking.

#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "orchestrator/commands/admin_client.h"

namespace millrace::orchestrator::commands {

using Row = std::vector<std::string>;

// Columns as wide as their widest cell, two blanks apart.
void print_table(const Row& head, const std::vector<Row>& rows);

// A JSON value as a table cell: text without quotes, a list with commas, null as a dash.
[[nodiscard]] std::string cell(const nlohmann::json& object, const char* key);
[[nodiscard]] std::vector<Row> rows_of(const nlohmann::json& list,
                                       const std::vector<const char*>& keys);

// Asks and hands the answer to `print`, unless the caller wants it raw; the exit code.
int show(const AdminTarget& target, const std::string& method, const std::string& path,
         const nlohmann::json& body, const std::function<void(const nlohmann::json&)>& print);

}  // namespace millrace::orchestrator::commands
