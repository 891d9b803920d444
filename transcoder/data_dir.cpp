#include "transcoder/data_dir.h"

#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <utility>

#include <nlohmann/json.hpp>
#include <unistd.h>

namespace millrace::transcoder {
namespace {

constexpr std::size_t kFileBytesMax = 1024 * 1024;
constexpr std::size_t kTokenBytes = 32;
constexpr std::string_view kSigningKey = "signing.key";

Error refusal(const std::string& what) {
    return error(ErrorKind::bad_input, "--data-dir: " + what);
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
    auto opened = StateDir::open(
        path,
        "is in use by another transcoder; give this one its own --data-dir, or another --name");
    if (!opened)
        return opened.error();
    return DataDir(std::move(*opened));
}

Result<net::KeyPair> DataDir::key_pair() const {
    auto pair = net::load_or_make_key_pair(directory_.file("curve.key"));
    if (!pair)
        return refusal(pair.error().message);
    return pair;
}

Result<net::Signer> DataDir::signer() const {
    const auto seed = net::load_or_make_secret_key(directory_.file(kSigningKey));
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
    auto kept = read(directory_.file("admin.token"));
    if (!kept)
        return kept.error();
    std::string token = kept->value_or("");
    while (!token.empty() && token.back() == '\n')
        token.pop_back();
    if (token.empty()) {
        token = net::random_hex(kTokenBytes);
        MR_TRY(directory_.write("admin.token", token + "\n"));
    }
    return net::Secret<std::string>(std::move(token));
}

Result<std::map<std::string, KnownOrchestrator>> DataDir::orchestrators() const {
    const auto text = read(directory_.file("orchestrators.json"));
    if (!text)
        return text.error();
    std::map<std::string, KnownOrchestrator> known;
    if (!text->has_value())
        return known;
    const auto document = nlohmann::json::parse(**text, nullptr, false);
    if (!document.is_object())
        return refusal(directory_.file("orchestrators.json") + " is damaged");
    for (const auto& [address, entry] : document.items()) {
        const auto one = known_from(entry);
        if (!one)
            return refusal(directory_.file("orchestrators.json") + " is damaged at \"" + address +
                           "\"");
        known[address] = *one;
    }
    return known;
}

Result<void> DataDir::save_orchestrators(
    const std::map<std::string, KnownOrchestrator>& orchestrators) const {
    auto document = nlohmann::json::object();
    for (const auto& [address, known] : orchestrators)
        document[address] = {{"key", known.key.z85()}, {"name", known.name}};
    return directory_.write(
        "orchestrators.json",
        document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

std::string DataDir::bench() const {
    std::ifstream in(directory_.file("bench.json"), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

Result<void> DataDir::save_bench(std::string_view text) const {
    return directory_.write("bench.json", text);
}

Result<void> DataDir::save_endpoints(const std::string& admin) const {
    const nlohmann::json document{{"admin", admin}, {"pid", ::getpid()}};
    return directory_.write("endpoints.json", document.dump(2) + "\n");
}

}  // namespace millrace::transcoder
