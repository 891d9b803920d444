#include "transcoder/data_dir.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <utility>

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace millrace::transcoder {
namespace {

constexpr std::size_t kFileBytesMax = 1024 * 1024;
constexpr std::size_t kTokenBytes = 32;
constexpr std::string_view kSigningKey = "signing.key";

Error refusal(const std::string& what) {
    return error(ErrorKind::bad_input, "--data-dir: " + what);
}

std::string reason() {
    return std::strerror(errno);
}

Result<void> make_directory(const std::string& path) {
    std::error_code failed;
    const bool made = std::filesystem::create_directories(path, failed);
    if (failed)
        return refusal("cannot make " + path + ": " + failed.message());
    if (made && ::chmod(path.c_str(), 0700) != 0)
        return refusal("cannot make " + path + " private: " + reason());
    return {};
}

// Nothing when there is no such file.
Result<std::optional<std::string>> read(const std::string& path) {
    std::error_code failed;
    if (!std::filesystem::exists(path, failed) && !failed)
        return std::optional<std::string>{};
    std::ifstream in(path, std::ios::binary);
    std::ostringstream text;
    if (!in || !(text << in.rdbuf()) || text.str().size() > kFileBytesMax)
        return refusal("cannot read " + path);
    return std::optional(text.str());
}

bool write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = ::write(fd, text.data(), text.size());
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

std::optional<KnownOrchestrator> known_from(const nlohmann::json& entry) {
    if (!entry.is_object() || !entry.contains("key") || !entry["key"].is_string())
        return std::nullopt;
    const auto key = net::public_key_from_z85(entry["key"].get<std::string>());
    if (!key)
        return std::nullopt;
    const auto name = entry.find("name");
    return KnownOrchestrator{
        *key, name != entry.end() && name->is_string() ? name->get<std::string>() : std::string{}};
}

}  // namespace

Result<DataDir> DataDir::open(const std::string& path) {
    MR_TRY(make_directory(path));
    const std::string lock_path = path + "/lock";
    const int lock = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (lock < 0)
        return refusal("cannot write " + lock_path + ": " + reason());
    DataDir directory(path, lock);
    if (::flock(lock, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK
                   ? refusal(path +
                             " is in use by another transcoder; give this one its own "
                             "--data-dir, or another --name")
                   : refusal("cannot lock " + lock_path + ": " + reason());
    return directory;
}

DataDir::~DataDir() {
    if (lock_ >= 0)
        ::close(lock_);
}

DataDir::DataDir(DataDir&& other) noexcept
    : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)) {}

DataDir& DataDir::operator=(DataDir&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(lock_, other.lock_);
    return *this;
}

std::string DataDir::file(std::string_view name) const {
    return path_ + "/" + std::string(name);
}

Result<void> DataDir::write(std::string_view name, std::string_view text) const {
    const std::string fresh = file(name) + ".new";
    const int out =
        ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    const bool whole = out >= 0 && write_all(out, text) && ::fsync(out) == 0;
    const std::string why = reason();
    if (out >= 0)
        ::close(out);
    if (!whole)
        return refusal("cannot write " + fresh + ": " + why);
    if (::rename(fresh.c_str(), file(name).c_str()) != 0)
        return refusal("cannot write " + file(name) + ": " + reason());
    return {};
}

Result<net::KeyPair> DataDir::key_pair() const {
    auto pair = net::load_or_make_key_pair(file("curve.key"));
    if (!pair)
        return refusal(pair.error().message);
    return pair;
}

Result<net::Signer> DataDir::signer() const {
    const auto seed = net::load_or_make_secret_key(file(kSigningKey));
    if (!seed)
        return refusal(seed.error().message);
    return net::Signer(*seed);
}

Result<SignerKey> DataDir::signer_key(const std::string& path) {
    const auto seed = net::load_secret_key(path + "/" + std::string(kSigningKey));
    if (!seed)
        return refusal(seed.error().message);
    return net::Signer(*seed).key();
}

Result<net::Secret<std::string>> DataDir::admin_token() const {
    auto kept = read(file("admin.token"));
    if (!kept)
        return kept.error();
    std::string token = kept->value_or("");
    while (!token.empty() && token.back() == '\n')
        token.pop_back();
    if (token.empty()) {
        token = net::random_hex(kTokenBytes);
        MR_TRY(write("admin.token", token + "\n"));
    }
    return net::Secret<std::string>(std::move(token));
}

Result<std::map<std::string, KnownOrchestrator>> DataDir::orchestrators() const {
    const auto text = read(file("orchestrators.json"));
    if (!text)
        return text.error();
    std::map<std::string, KnownOrchestrator> known;
    if (!text->has_value())
        return known;
    const auto document = nlohmann::json::parse(**text, nullptr, false);
    if (!document.is_object())
        return refusal(file("orchestrators.json") + " is damaged");
    for (const auto& [address, entry] : document.items()) {
        const auto one = known_from(entry);
        if (!one)
            return refusal(file("orchestrators.json") + " is damaged at \"" + address + "\"");
        known[address] = *one;
    }
    return known;
}

Result<void> DataDir::save_orchestrators(
    const std::map<std::string, KnownOrchestrator>& orchestrators) const {
    auto document = nlohmann::json::object();
    for (const auto& [address, known] : orchestrators)
        document[address] = {{"key", known.key.z85()}, {"name", known.name}};
    return write("orchestrators.json",
                 document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

std::string DataDir::bench() const {
    std::ifstream in(file("bench.json"), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

Result<void> DataDir::save_bench(std::string_view text) const {
    return write("bench.json", text);
}

Result<void> DataDir::save_endpoints(const std::string& admin) const {
    const nlohmann::json document{{"admin", admin}, {"pid", ::getpid()}};
    return write("endpoints.json", document.dump(2) + "\n");
}

}  // namespace millrace::transcoder
