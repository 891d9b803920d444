#pragma once
// HTTP messages as plain values: what a request said and what will be answered.
//
// Thread: any; values.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "common/http/target.h"
#include "common/runtime/payload.h"

namespace millrace::http {

enum class Method : std::uint8_t { get, head, post, put, del, options, other };

[[nodiscard]] std::string_view to_string(Method method);

// True when `a` and `b` are the same but for the case of ASCII letters.
[[nodiscard]] bool same_ignoring_case(std::string_view a, std::string_view b);

// Header fields in the order they came; names compare without regard to case.
class Headers {
public:
    using Field = std::pair<std::string, std::string>;

    Headers() = default;
    Headers(std::initializer_list<Field> fields) : fields_(fields) {}

    void add(std::string name, std::string value);
    // Replaces all fields of that name by one.
    void set(std::string name, std::string value);
    // The first field of that name.
    [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const;
    // True when a comma-separated list under that name holds `token`, in any case.
    [[nodiscard]] bool lists(std::string_view name, std::string_view token) const;

    [[nodiscard]] auto begin() const { return fields_.begin(); }
    [[nodiscard]] auto end() const { return fields_.end(); }
    [[nodiscard]] std::size_t size() const { return fields_.size(); }

private:
    std::vector<Field> fields_;
};

struct Request {
    Method method = Method::other;
    std::string method_name;  // as sent
    Target target;            // decoded
    Headers headers;
    std::string remote;  // "address:port" of the peer
    bool has_body = false;
    std::optional<std::uint64_t> content_length;  // bytes; nothing for chunked bodies
    bool tls = false;
};

// Bytes [offset, offset + size) of a payload; they exist.
struct PayloadRange {
    PayloadPtr payload;
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
};

// Text that the answer owns, or payload bytes that are shared: all are sent without copying.
using BodyPart = std::variant<std::string, PayloadPtr, PayloadRange>;
[[nodiscard]] std::uint64_t part_bytes(const BodyPart& part);

struct Response {
    int status = 200;
    // Content-Length, Date and Connection are written by the server.
    Headers headers;
    std::vector<BodyPart> body;
    bool close = false;  // close the connection after this answer
    // A 200 whose caller may ask for a part of it (Range) or whether it has changed (its ETag):
    // conditional.h.
    bool ranges = false;

    [[nodiscard]] std::uint64_t body_bytes() const;
};

[[nodiscard]] Response text_response(int status, std::string content_type, std::string body);

// "Not Found" for 404; "Status" for a number without a phrase.
[[nodiscard]] std::string_view reason_phrase(int status);

}  // namespace millrace::http
