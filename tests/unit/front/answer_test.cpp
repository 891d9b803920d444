#include "orchestrator/front/answer.h"

#include <nlohmann/json.hpp>

#include "tests/support/catch.h"
#include "tests/unit/front/media.h"

using namespace millrace;
using namespace millrace::orchestrator;
using namespace millrace::test;

namespace {

std::string body_of(const http::Response& response) {
    std::string out;
    for (const http::BodyPart& part : response.body) {
        if (const auto* text = std::get_if<std::string>(&part)) {
            out += *text;
            continue;
        }
        const Payload& payload = *std::get<PayloadPtr>(part);
        std::string bytes(payload.size(), '\0');
        payload.read(0, {reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size()});
        out += bytes;
    }
    return out;
}

}  // namespace

TEST_CASE("a multipart answer holds one part per rendition in ladder order", "[front][answer]") {
    const http::Response response = multipart_answer(*segment(key(17)), "BOUND");
    CHECK(response.status == 200);
    CHECK(response.headers.find("Content-Type") == "multipart/mixed; boundary=BOUND");
    CHECK(
        body_of(response) ==
        "--BOUND\r\nContent-Type: video/mp2t\r\nContent-Length: 7\r\nRendition-Name: P240\r\n"
        "Content-Disposition: attachment; filename=\"P240_17.ts\"\r\n\r\nP240 17"
        "\r\n--BOUND\r\nContent-Type: video/mp2t\r\nContent-Length: 7\r\nRendition-Name: P360\r\n"
        "Content-Disposition: attachment; filename=\"P360_17.ts\"\r\n\r\nP360 17\r\n--BOUND--\r\n");
    CHECK(response.body_bytes() == body_of(response).size());
}

TEST_CASE("a multipart answer without renditions is still well formed", "[front][answer]") {
    const auto empty = segment(key(1));
    empty->renditions.clear();
    empty->report.renditions.clear();
    CHECK(body_of(multipart_answer(*empty, "B")) == "--B--\r\n");
}

TEST_CASE("a JSON answer says what was made, what fell away and where it is", "[front][answer]") {
    const auto answered = segment(key(17, 2));
    answered->report.skipped.push_back({2, "P1080", "larger than the source"});
    answered->report.warnings.push_back("cut inside");
    answered->total = std::chrono::milliseconds(321);
    const auto json = nlohmann::json::parse(body_of(json_answer(*answered, "http://h:1")));
    CHECK(json["session_id"] == std::string(32, 'a'));
    CHECK(json["run"] == 2);
    CHECK(json["seq"] == 17);
    REQUIRE(json["renditions"].size() == 2);
    const auto& first = json["renditions"][0];
    CHECK(first["name"] == "P240");
    CHECK(first["url"] == "http://h:1/stream/cam/P240/aaaaaaaa_2_17.ts");
    CHECK(first["bytes"] == 7);
    CHECK(first["frames"] == 60);
    CHECK(first["pixels"] == 60 * 426 * 240);
    CHECK(first["width"] == 426);
    CHECK(first["height"] == 240);
    CHECK(json["skipped"][0]["name"] == "P1080");
    CHECK(json["skipped"][0]["reason"] == "larger than the source");
    CHECK(json["warnings"][0] == "cut inside");
    CHECK(json["timings"]["total_ms"] == 321);
    CHECK_FALSE(
        nlohmann::json::parse(body_of(json_answer(*answered, "")))["renditions"][0].contains(
            "url"));
}

TEST_CASE("Accept asks for multipart in any spelling", "[front][answer]") {
    http::Request request;
    CHECK_FALSE(wants_multipart(request));
    request.headers.add("Accept", "application/json");
    CHECK_FALSE(wants_multipart(request));
    request.headers.add("accept", "text/html, Multipart/Mixed;q=0.9");
    CHECK(wants_multipart(request));
}

TEST_CASE("times are printed as RFC 3339", "[front][answer]") {
    CHECK(rfc3339({1'700'000'000'999}) == "2023-11-14T22:13:20Z");
}
