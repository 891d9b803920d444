#include "orchestrator/commands/target.h"

#include <fstream>
#include <sstream>

#include <nlohmann/json.hpp>

#include "common/config/values.h"

namespace millrace::orchestrator::commands {
namespace {

std::string first_line(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

std::string admin_endpoint_of(const std::string& data_dir) {
    std::ifstream file(data_dir + "/endpoints.json");
    const auto endpoints = nlohmann::json::parse(file, nullptr, false);
    if (!endpoints.is_object())
        return {};
    const auto admin = endpoints.find("admin");
    return admin != endpoints.end() && admin->is_string() ? admin->get<std::string>()
                                                          : std::string();
}

}  // namespace

AdminTarget find_target(const config::OrchestratorConfig& config) {
    AdminTarget target;
    target.json = config.json;
    if (!config.admin_addr_given)
        target.address = admin_endpoint_of(config.data_dir);
    if (target.address.empty())
        target.address = config::to_string(config.admin_addr);
    target.token = config.admin_token.empty() ? first_line(config.data_dir + "/admin.token")
                                              : config.admin_token.reveal();
    return target;
}

}  // namespace millrace::orchestrator::commands
