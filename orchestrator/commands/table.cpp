#include "orchestrator/commands/table.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "common/config/exit_code.h"

namespace millrace::orchestrator::commands {

using nlohmann::json;

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

std::string cell(const json& object, const char* key) {
    const auto found = object.find(key);
    if (found == object.end() || found->is_null())
        return "-";
    if (found->is_number_float())
        return fmt::format("{:.2f}", found->get<double>());
    if (found->is_array()) {
        std::string list;
        for (const json& item : *found)
            list += (list.empty() ? "" : ",") + item.get<std::string>();
        return list.empty() ? "-" : list;
    }
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

int show(const AdminTarget& target, const std::string& method, const std::string& path,
         const json& body, const std::function<void(const json&)>& print) {
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

}  // namespace millrace::orchestrator::commands
