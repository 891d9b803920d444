#include "common/http/conditional.h"

#include "tests/unit/http/fixture.h"

using namespace millrace;
using namespace millrace::test;
using http::ByteRange;
using http::OutsideBody;
using http::WholeBody;
using Wanted = std::variant<WholeBody, ByteRange, OutsideBody>;

namespace {

http::Request get(http::Headers headers) {
    http::Request request;
    request.method = http::Method::get;
    request.headers = std::move(headers);
    return request;
}

http::Response whole() {
    http::Response response = http::text_response(200, "text/plain", "0123456789");
    response.headers.set("ETag", "\"a\"");
    return response;
}

std::string body_of(const http::Response& response) {
    std::string text;
    for (const auto& part : response.body) {
        if (const auto* own = std::get_if<std::string>(&part)) {
            text += *own;
            continue;
        }
        const auto range = std::get<http::PayloadRange>(part);
        std::string bytes(range.size, '\0');
        range.payload->read(range.offset,
                            {reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size()});
        text += bytes;
    }
    return text;
}

}  // namespace

TEST_CASE("a range is understood as the RFC writes it", "[http][range]") {
    const auto [field, wanted] = GENERATE(table<std::string, Wanted>({
        {"bytes=0-0", ByteRange{0, 1}},
        {"bytes=2-4", ByteRange{2, 3}},
        {"Bytes=2-", ByteRange{2, 8}},
        {"bytes=-3", ByteRange{7, 3}},
        {"bytes=-99", ByteRange{0, 10}},
        {"bytes=5-99", ByteRange{5, 5}},
        {"bytes=5-99999999999999999999999", ByteRange{5, 5}},
        {"bytes=10-", OutsideBody{}},
        {"bytes=99999999999999999999999-", OutsideBody{}},
        {"bytes=-0", OutsideBody{}},
        {"bytes=4-2", WholeBody{}},
        {"bytes=0-1,3-4", WholeBody{}},
        {"bytes=", WholeBody{}},
        {"bytes=-", WholeBody{}},
        {"bytes=a-b", WholeBody{}},
        {"bytes= 1-2", WholeBody{}},
        {"bytes=1--2", WholeBody{}},
        {"bytes=+1-2", WholeBody{}},
        {"seconds=1-2", WholeBody{}},
        {"", WholeBody{}},
    }));
    INFO(field);
    CHECK(http::parse_range(field, 10) == wanted);
}

TEST_CASE("nothing of an empty body can be asked for", "[http][range]") {
    CHECK(http::parse_range("bytes=0-0", 0) == Wanted{OutsideBody{}});
    CHECK(http::parse_range("bytes=-5", 0) == Wanted{OutsideBody{}});
}

TEST_CASE("a part is 206 and says where it lies; one outside is 416 and says the size",
          "[http][range]") {
    const auto part = http::fit_to_request(get({{"Range", "bytes=2-4"}}), whole());
    CHECK(part.status == 206);
    CHECK(body_of(part) == "234");
    CHECK(part.headers.find("Content-Range") == "bytes 2-4/10");
    auto open = whole();
    open.headers.set("Access-Control-Allow-Origin", "*");
    const auto outside = http::fit_to_request(get({{"Range", "bytes=10-"}}), std::move(open));
    CHECK(outside.status == 416);
    CHECK(outside.headers.find("Content-Range") == "bytes */10");
    CHECK(outside.headers.find("Access-Control-Allow-Origin") == "*");
    CHECK(outside.headers.find("Content-Type") == "application/problem+json");
}

TEST_CASE("a whole body says that parts may be asked for", "[http][range]") {
    const auto plain = http::fit_to_request(get({}), whole());
    CHECK(plain.status == 200);
    CHECK(plain.headers.find("Accept-Ranges") == "bytes");
    auto head = get({{"Range", "bytes=2-4"}});
    head.method = http::Method::head;
    CHECK(http::fit_to_request(head, whole()).status == 200);
}

TEST_CASE("what has not changed is not sent again", "[http][range]") {
    for (const std::string known : {"\"a\"", "W/\"a\"", "\"x\", \"a\"", "*"}) {
        INFO(known);
        const auto same = http::fit_to_request(get({{"If-None-Match", known}}), whole());
        CHECK(same.status == 304);
        CHECK(same.body.empty());
        CHECK(same.headers.find("ETag") == "\"a\"");
    }
    CHECK(http::fit_to_request(get({{"If-None-Match", "\"b\""}}), whole()).status == 200);
}

TEST_CASE("a range of something that has changed is the whole of the new", "[http][range]") {
    const auto ask = [](const std::string& tag) {
        return http::fit_to_request(get({{"Range", "bytes=0-1"}, {"If-Range", tag}}), whole());
    };
    CHECK(ask("\"a\"").status == 206);
    CHECK(ask("\"b\"").status == 200);
    CHECK(ask("W/\"a\"").status == 200);
    CHECK(ask("Sun, 06 Nov 1994 08:49:37 GMT").status == 200);
}

TEST_CASE("a part crosses blocks and parts without being copied", "[http][range]") {
    Fixture fixture;
    std::vector<std::uint8_t> bytes(600'000);
    for (std::size_t i = 0; i < bytes.size(); ++i)
        bytes[i] = static_cast<std::uint8_t>(i * 7 + i / 251);
    const PayloadPtr payload = make_payload(fixture.pool, bytes);
    const std::string all(bytes.begin(), bytes.end());
    fixture.router.on(http::Method::get, "/parts", [&](const auto& exchange, const auto&) {
        http::Response response;
        response.body = {std::string("head"), payload, std::string("tail")};
        response.ranges = true;
        exchange->respond(std::move(response));
    });
    const auto ask = [&](const std::string& range) {
        http::ClientRequest request{.url = fixture.url("/parts")};
        request.headers.set("Range", range);
        return *http::fetch(request);
    };
    CHECK(ask("bytes=0-5").body == "head" + all.substr(0, 2));
    CHECK(ask("bytes=262140-262160").body == all.substr(262136, 21));
    CHECK(ask("bytes=4-600003").body == all);
    CHECK(ask("bytes=-6").body == all.substr(599'998) + "tail");
    CHECK(ask("bytes=0-").body == "head" + all + "tail");
    CHECK(ask("bytes=600008-").status == 416);
}
