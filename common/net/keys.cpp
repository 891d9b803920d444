#include "common/net/keys.h"

#include <cerrno>
#include <cstring>
#include <optional>

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include "common/base/check.h"
#include "common/base/hex.h"
#include "common/runtime/descriptor.h"

namespace millrace::net {

namespace {

using Z85Text = std::array<char, kKeyZ85Chars + 1>;  // with the terminating zero

void need_sodium() {
    static const int ready = sodium_init();
    MR_CHECK(ready >= 0, "libsodium starts");
}

Z85Text encode(const KeyBytes& bytes) {
    Z85Text text{};
    MR_CHECK(zmq_z85_encode(text.data(), bytes.data(), bytes.size()) != nullptr, "32 bytes encode");
    return text;
}

std::optional<KeyBytes> decode(std::string_view text) {
    if (text.size() != kKeyZ85Chars)
        return std::nullopt;
    Z85Text terminated{};
    text.copy(terminated.data(), kKeyZ85Chars);
    KeyBytes bytes{};
    const bool good = std::strlen(terminated.data()) == kKeyZ85Chars &&
                      zmq_z85_decode(bytes.data(), terminated.data()) != nullptr &&
                      encode(bytes) == terminated;  // only the canonical form
    wipe({reinterpret_cast<std::uint8_t*>(terminated.data()), terminated.size()});
    return good ? std::optional(bytes) : std::nullopt;
}

Error file_error(std::string_view what, const std::filesystem::path& file) {
    return error(ErrorKind::bad_input,
                 std::string(what) + " key file " + file.string() + ": " + std::strerror(errno));
}

Error bad_file(const std::filesystem::path& file, std::string_view why) {
    return error(ErrorKind::bad_input, "key file " + file.string() + " " + std::string(why));
}

Result<void> sync_directory(const std::filesystem::path& directory) {
    const Descriptor handle(
        ::open(directory.empty() ? "." : directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!handle.open() || ::fsync(handle.get()) != 0)
        return file_error("cannot make durable", directory);
    return {};
}

Result<void> write_durably(const std::filesystem::path& file, const Secret<std::string>& text) {
    ::unlink(file.c_str());  // what a crash may have left
    const Descriptor handle(
        ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!handle.open())
        return file_error("cannot create", file);
    const auto written = ::write(handle.get(), text.reveal().data(), text.reveal().size());
    if (written != static_cast<ssize_t>(text.reveal().size()) || ::fsync(handle.get()) != 0)
        return file_error("cannot write", file);
    return {};
}

}  // namespace

void wipe(std::span<std::uint8_t> bytes) {
    sodium_memzero(bytes.data(), bytes.size());
}

std::string PublicKey::z85() const {
    return encode(bytes).data();
}

KeyPair make_key_pair() {
    need_sodium();
    Z85Text public_text{}, secret_text{};
    MR_CHECK(zmq_curve_keypair(public_text.data(), secret_text.data()) == 0, "CURVE makes keys");
    const std::string_view secret(secret_text.data(), kKeyZ85Chars);
    KeyPair pair{PublicKey{*decode({public_text.data(), kKeyZ85Chars})},
                 SecretKey(*decode(secret))};
    wipe({reinterpret_cast<std::uint8_t*>(secret_text.data()), secret_text.size()});
    return pair;
}

KeyPair key_pair_of(const SecretKey& secret) {
    need_sodium();
    KeyPair pair{PublicKey{}, secret};
    MR_CHECK(crypto_scalarmult_base(pair.public_key.bytes.data(), secret.reveal().data()) == 0,
             "a public key follows from a secret one");
    return pair;
}

Result<PublicKey> public_key_from_z85(std::string_view text) {
    if (const auto bytes = decode(text))
        return PublicKey{*bytes};
    return error(ErrorKind::bad_input, "not a key: 40 characters of Z85 are wanted");
}

void fill_random(std::span<std::uint8_t> out) {
    need_sodium();
    randombytes_buf(out.data(), out.size());
}

std::uint64_t random_u64() {
    std::uint64_t value = 0;
    fill_random({reinterpret_cast<std::uint8_t*>(&value), sizeof value});
    return value;
}

std::string random_hex(std::size_t bytes) {
    std::string raw(bytes, '\0');
    const std::span view(reinterpret_cast<std::uint8_t*>(raw.data()), raw.size());
    fill_random(view);
    return to_hex(view);
}

Result<SecretKey> load_secret_key(const std::filesystem::path& file) {
    const Descriptor handle(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!handle.open())
        return file_error("cannot open", file);
    struct stat facts {};
    if (::fstat(handle.get(), &facts) != 0)
        return file_error("cannot look at", file);
    if (!S_ISREG(facts.st_mode))
        return bad_file(file, "is not a regular file");
    if ((facts.st_mode & 077) != 0)
        return bad_file(file, "can be read or changed by others; its mode must be 0600");
    std::array<char, kKeyZ85Chars + 2> text{};
    const auto count = ::read(handle.get(), text.data(), text.size());
    const bool shape =
        count == static_cast<ssize_t>(kKeyZ85Chars + 1) && text[kKeyZ85Chars] == '\n';
    const auto bytes = shape ? decode({text.data(), kKeyZ85Chars}) : std::nullopt;
    wipe({reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
    if (!bytes)
        return bad_file(file, "does not hold a key (40 characters of Z85 and a newline)");
    return SecretKey(*bytes);
}

Result<KeyPair> load_key_pair(const std::filesystem::path& file) {
    const auto secret = load_secret_key(file);
    if (!secret)
        return secret.error();
    return key_pair_of(*secret);
}

Result<void> save_secret_key(const std::filesystem::path& file, const SecretKey& key) {
    auto fresh = file;
    fresh += ".new";
    Z85Text text = encode(key.reveal());
    const Secret<std::string> line(std::string(text.data()) + "\n");
    wipe({reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
    MR_TRY(write_durably(fresh, line));
    // link() refuses to replace, rename() would not.
    const bool linked = ::link(fresh.c_str(), file.c_str()) == 0;
    const int why = errno;
    ::unlink(fresh.c_str());
    errno = why;
    if (!linked)
        return file_error("cannot create", file);
    return sync_directory(file.parent_path());
}

Result<SecretKey> load_or_make_secret_key(const std::filesystem::path& file) {
    std::error_code problem;
    const auto status = std::filesystem::symlink_status(file, problem);
    if (status.type() != std::filesystem::file_type::not_found)
        return load_secret_key(file);
    SecretKey key = make_key_pair().secret_key;  // 32 random bytes
    MR_TRY(save_secret_key(file, key));
    return key;
}

Result<KeyPair> load_or_make_key_pair(const std::filesystem::path& file) {
    const auto secret = load_or_make_secret_key(file);
    if (!secret)
        return secret.error();
    return key_pair_of(*secret);
}

}  // namespace millrace::net
