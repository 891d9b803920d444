#pragma once
// The head of a request: Boost.Beast parses, this adds what smuggling and sloppy clients call for.
//
// Thread: its owner's.

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "common/http/message.h"

namespace millrace::http {

struct Head {
    Request request;
    bool keep_alive = true;
    bool chunked = false;
    bool expects_continue = false;
    bool http_1_0 = false;
};

class HeadParser {
public:
    enum class Step : std::uint8_t { need_more, done, malformed };

    explicit HeadParser(std::size_t header_bytes_max);
    ~HeadParser();

    // Takes bytes off the front of `in`; what is left must be offered again, with more behind it.
    [[nodiscard]] Step feed(std::span<const std::uint8_t>& in);
    // After done.
    [[nodiscard]] Head take();
    // After malformed: a sentence for the caller.
    [[nodiscard]] const std::string& problem() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::http
