#pragma once
// A folder of its own for one test, gone with it.

#include <filesystem>
#include <fstream>
#include <string>

#include <sys/stat.h>

namespace millrace::test {

class TempDir {
public:
    explicit TempDir(const std::filesystem::path& below = std::filesystem::temp_directory_path()) {
        std::string name = (below / "millrace-XXXXXX").string();
        path_ = ::mkdtemp(name.data());
    }
    ~TempDir() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] std::string operator/(const std::string& name) const {
        return path_ + "/" + name;
    }
    // Writes a file (folders above it as needed) and returns its path.
    std::string write(const std::string& name, const std::string& text, mode_t mode = 0600) const {
        const std::string file = path_ + "/" + name;
        std::filesystem::create_directories(std::filesystem::path(file).parent_path());
        std::ofstream(file, std::ios::binary) << text;
        ::chmod(file.c_str(), mode);
        return file;
    }

private:
    std::string path_;
};

}  // namespace millrace::test
