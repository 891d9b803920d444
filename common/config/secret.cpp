#include "common/config/secret.h"

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <string.h>  // explicit_bzero
#include <sys/stat.h>
#include <unistd.h>

#include "common/config/field_error.h"
#include "common/runtime/descriptor.h"

namespace millrace::config {
namespace {

Error bad(std::string sentence) {
    return error(ErrorKind::bad_input, std::move(sentence));
}

Descriptor open_to_read(const std::string& path) {
    return Descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
}

Error cannot_read(const std::string& path) {
    return bad("cannot read " + quote(path) + ": " + std::generic_category().message(errno));
}

// `secret`: 0640 passes, that is how orchestration systems hand files to a group.
Result<void> check_place(const Descriptor& file, const std::string& path, bool secret) {
    struct stat status {};
    if (!file.open() || ::fstat(file.get(), &status) != 0)
        return cannot_read(path);
    if (!S_ISREG(status.st_mode))
        return bad(quote(path) + " is not a file");
    if (secret && (status.st_mode & (S_IRWXO | S_IWGRP)) != 0)
        return bad(quote(path) + " can be read by others: chmod 600 it");
    return {};
}

Result<std::string> parse_file(std::string_view text, bool secret) {
    std::string path(text);
    MR_TRY(check_place(open_to_read(path), path, secret));
    return path;
}

}  // namespace

Secret::~Secret() {
    wipe();
}

Secret& Secret::operator=(const Secret& other) {
    if (this != &other) {
        wipe();
        value_ = other.value_;
    }
    return *this;
}

// Short strings live inside the object, so a moved-from one still holds its bytes until wiped.
Secret::Secret(Secret&& other) noexcept : value_(other.value_) {
    other.wipe();
}

Secret& Secret::operator=(Secret&& other) noexcept {
    if (this != &other) {
        wipe();
        value_ = other.value_;
        other.wipe();
    }
    return *this;
}

void Secret::wipe() {
    ::explicit_bzero(value_.data(), value_.size());
    value_.clear();
}

bool operator==(const Secret& a, const Secret& b) {
    if (a.value_.size() != b.value_.size())
        return false;
    unsigned difference = 0;
    for (std::size_t i = 0; i < a.value_.size(); ++i)
        difference |=
            static_cast<unsigned char>(a.value_[i]) ^ static_cast<unsigned char>(b.value_[i]);
    return difference == 0;
}

Result<Secret> read_secret_file(const std::string& path) {
    const Descriptor file = open_to_read(path);
    MR_TRY(check_place(file, path, true));
    std::string text(kSecretBytesMax + 1, '\0');
    const ssize_t got = ::read(file.get(), text.data(), text.size());
    if (got < 0)
        return cannot_read(path);
    text.resize(static_cast<std::size_t>(got));
    Secret whole(std::move(text));
    if (whole.reveal().size() > kSecretBytesMax)
        return bad(quote(path) + " is longer than a secret can be");
    Secret secret(whole.reveal().substr(0, whole.reveal().find_first_of("\r\n")));
    if (secret.empty())
        return bad(quote(path) + " is empty");
    return secret;
}

Result<std::string> parse_readable_file(std::string_view text) {
    return parse_file(text, false);
}

Result<std::string> parse_key_file(std::string_view text) {
    return parse_file(text, true);
}

Result<Secret> parse_secret(std::string_view text) {
    if (text.starts_with('@'))
        return read_secret_file(std::string(text.substr(1)));
    if (text.empty() || text.size() > kSecretBytesMax)
        return bad("must not be empty");
    return Secret(std::string(text));
}

}  // namespace millrace::config
