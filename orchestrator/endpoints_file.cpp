#include "orchestrator/endpoints_file.h"

#include <filesystem>
#include <fstream>
#include <system_error>

#include <nlohmann/json.hpp>
#include <unistd.h>

namespace millrace::orchestrator {

Result<void> write_endpoints(const std::string& data_dir, const Endpoints& endpoints) {
    const std::filesystem::path path = std::filesystem::path(data_dir) / "endpoints.json";
    const std::filesystem::path fresh = path.string() + ".new";
    {
        std::ofstream file(fresh, std::ios::trunc);
        file << nlohmann::json{{"service", endpoints.service},
                               {"link", endpoints.link},
                               {"payload", endpoints.payload},
                               {"admin", endpoints.admin},
                               {"pid", ::getpid()}}
                    .dump(2)
             << "\n";
        if (!file.flush())
            return error(ErrorKind::overloaded, "--data-dir: cannot write " + fresh.string());
    }
    std::error_code failed;
    std::filesystem::rename(fresh, path, failed);
    if (failed)
        return error(ErrorKind::overloaded, "--data-dir: cannot write " + path.string());
    return {};
}

}  // namespace millrace::orchestrator
