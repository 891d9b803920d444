#include "orchestrator/front/playlist_token.h"
#include "tests/unit/front/fixture.h"

using namespace millrace;
using namespace millrace::test;
using namespace std::chrono_literals;

namespace {

void play(Playback& playback, const SegmentKey& k) {
    playback.segment_expected({"cam"}, k, std::chrono::steady_clock::now() + 10s);
    playback.segment_answered(segment(k));
}

}  // namespace

TEST_CASE("a player finds its way from the master to the bytes", "[front][playback]") {
    FrontFixture fixture;
    for (std::uint64_t seq : {1, 2, 3})
        play(fixture.playback, key(seq));
    const auto master = fixture.call("GET", "/stream/cam.m3u8");
    CHECK(master.status == 200);
    CHECK(master.headers.find("Content-Type") == "application/vnd.apple.mpegurl");
    CHECK(master.headers.find("Access-Control-Allow-Origin") == "*");
    CHECK(master.headers.find("Cache-Control") == "max-age=1");
    CHECK(master.body.find("\ncam/P240.m3u8\n") != std::string::npos);
    for (const std::string rendition : {"source", "P240", "P360"}) {
        const auto media = fixture.call("GET", "/stream/cam/" + rendition + ".m3u8");
        CHECK(media.status == 200);
        CHECK(media.body.find("\n" + rendition + "/aaaaaaaa_0_3.ts\n") != std::string::npos);
        const auto bytes = fixture.call("GET", "/stream/cam/" + rendition + "/aaaaaaaa_0_3.ts");
        CHECK(bytes.status == 200);
        CHECK(bytes.headers.find("Content-Type") == "video/mp2t");
        CHECK(bytes.headers.find("Access-Control-Allow-Origin") == "*");
        CHECK(bytes.body == rendition + " 3");
    }
    CHECK(fixture.call("OPTIONS", "/stream/cam/P240.m3u8").status == 204);
    CHECK(fixture.call("HEAD", "/stream/cam/P240.m3u8").status == 200);
}

TEST_CASE("what is not there is 404, whatever the path tries", "[front][playback]") {
    FrontFixture fixture;
    play(fixture.playback, key(1));
    const auto path =
        GENERATE(as<std::string>{}, "/stream/other.m3u8", "/stream/cam", "/stream/cam/P1080.m3u8",
                 "/stream/cam/P240/aaaaaaaa_0_2.ts", "/stream/cam/P240/aaaaaaaa_0_1.mp4",
                 "/stream/cam/P240/..%2F..%2Fetc%2Fpasswd", "/stream/..%2F..%2Fkeys.m3u8",
                 "/stream/%2e%2e/P240.m3u8", "/stream/.m3u8", "/stream/cam/.m3u8",
                 "/stream/cam%00.m3u8x", "/stream/cam/P240/P240/aaaaaaaa_0_1.ts",
                 "/stream//P240.m3u8", "/stream/cam/bogus/aaaaaaaa_0_1.ts");
    INFO(path);
    const auto response = fixture.call("GET", path);
    CHECK((response.status == 404 || response.status == 400));
}

TEST_CASE("a segment appears in all playlists at once", "[front][playback]") {
    FrontFixture fixture;
    // The writer stays a few segments ahead of the reader: less than what is kept behind the list.
    std::atomic<bool> stop{false};
    std::atomic<std::uint64_t> seen{0};  // number of the last segment looked at
    std::thread writer([&] {
        for (std::uint64_t seq = 0; seq < 400 && !stop; ++seq) {
            while (seq > seen + 4 && !stop)
                std::this_thread::yield();
            play(fixture.playback, key(seq));
        }
        stop = true;
    });
    const auto last = [](const std::string& text) {
        const std::size_t end = text.rfind(".ts\n");
        const std::size_t start = text.rfind('/', end);
        return text.substr(start + 1, end - start - 1);
    };
    std::vector<std::string> missing;
    while (!stop) {
        const auto low = fixture.playback.media({"cam"}, "P240");
        const std::string name = low ? last(*low) : "";
        for (const auto* rendition : {"source", "P240", "P360"})
            if (low && !fixture.playback.segment({"cam"}, rendition, name + ".ts"))
                missing.push_back(rendition + (" " + name) + *low);
        if (low)
            seen = std::stoull(name.substr(name.rfind('_') + 1));
    }
    writer.join();
    CHECK(missing == std::vector<std::string>{});
}

TEST_CASE("the end of a session ends its playlist, which goes after a minute",
          "[front][playback]") {
    TimePoint now{};
    Playback playback({}, [&] { return now; });
    playback.segment_expected({"cam"}, key(1), now + 4s);
    playback.segment_answered(segment(key(1)));
    playback.session_ended(key(1).session, {"cam"});
    CHECK(playback.media({"cam"}, "P240")->ends_with("#EXT-X-ENDLIST\n"));
    now += 59s;
    CHECK(playback.master({"cam"}));
    now += 1s;
    CHECK_FALSE(playback.master({"cam"}));
    CHECK(playback.streams() == 0);
    CHECK(playback.bytes() == 0);
}

TEST_CASE("memory is bounded over all streams", "[front][playback]") {
    PlaybackConfig config;
    config.listed_segments = 0;
    config.bytes_max = 400;
    Playback playback(config);
    for (std::uint64_t seq = 0; seq < 100; ++seq) {
        play(playback, key(seq));
        CHECK(playback.bytes() <= 400);
    }
    const auto text = playback.media({"cam"}, "P240");
    REQUIRE(text);
    CHECK(text->find("aaaaaaaa_0_99.ts") != std::string::npos);
    CHECK(text->find("EVENT") == std::string::npos);
}

TEST_CASE("with playback off nothing is kept and answers have no URLs", "[front][playback]") {
    FrontFixture fixture({}, {.enabled = false});
    play(fixture.playback, key(1));
    CHECK(fixture.playback.bytes() == 0);
    CHECK(fixture.call("GET", "/stream/cam.m3u8").status == 404);
    const auto answer =
        nlohmann::json::parse(fixture.call("PUT", "/live/cam/7.ts", ts_bytes(9)).body);
    CHECK_FALSE(answer["renditions"][0].contains("url"));
    const auto session =
        nlohmann::json::parse(fixture.call("POST", "/sessions", R"({"stream":"cam"})").body);
    CHECK(session["playback_url"].is_null());
}

TEST_CASE("with --playback token a player follows its token from the master to the bytes",
          "[front][playback]") {
    FrontFixture fixture({}, {}, PlaybackAccess::token);
    play(fixture.playback, key(1));
    const auto opened = fixture.call("POST", "/sessions", R"({"stream":"cam"})");
    REQUIRE(opened.status == 201);
    const std::string url = nlohmann::json::parse(opened.body)["playback_url"];
    const std::string query = url.substr(url.find('?'));
    CHECK(query.starts_with("?token=mrp1_"));
    CHECK(fixture.call("GET", "/stream/cam.m3u8" + query).status == 404);  // nobody's yet
    fixture.streams->opened({"cam"}, {"s"}, {});
    const auto master = fixture.call("GET", "/stream/cam.m3u8" + query);
    CHECK(master.body.find("\ncam/P240.m3u8" + query + "\n") != std::string::npos);
    const auto media = fixture.call("GET", "/stream/cam/P240.m3u8" + query);
    CHECK(media.body.find("\nP240/aaaaaaaa_0_1.ts" + query + "\n") != std::string::npos);
    CHECK(fixture.call("GET", "/stream/cam/P240/aaaaaaaa_0_1.ts" + query).status == 200);
    // A player that sends a header with each request needs nothing in the URLs.
    const http::Headers header{{"Authorization", "Bearer " + query.substr(7)}};
    CHECK(fixture.call("GET", "/stream/cam.m3u8", {}, header).body.find("token=") ==
          std::string::npos);
    // And it cannot push.
    CHECK(fixture.call("PUT", "/live/cam/2.ts" + query, ts_bytes(9)).status == 401);
}

TEST_CASE("with --playback token nothing is shown without a good token", "[front][playback]") {
    FrontFixture fixture({}, {}, PlaybackAccess::token);
    play(fixture.playback, key(1));
    fixture.streams->opened({"cam"}, {"s"}, {"acme"});
    const auto opened = fixture.call("POST", "/sessions", R"({"stream":"cam"})");
    const auto session = nlohmann::json::parse(opened.body);
    const std::string url = session["playback_url"];
    const std::string query = url.substr(url.find('?'));
    for (const std::string path :
         {"/stream/cam.m3u8", "/stream/cam/P240.m3u8", "/stream/cam/P240/aaaaaaaa_0_1.ts"}) {
        INFO(path);
        const auto none = fixture.call("GET", path);
        CHECK(none.status == 401);
        CHECK(none.headers.find("WWW-Authenticate") == "Bearer");
        CHECK(none.headers.find("Access-Control-Allow-Origin") == "*");
        CHECK(fixture.call("GET", path + query + "x").status == 401);
        CHECK(fixture.call("GET", path + "?token=" + session["token"].get<std::string>()).status ==
              401);
        CHECK(fixture.call("GET", path + query).status == 403);  // the stream is acme's now
    }
    CHECK(fixture.call("GET", "/stream/other.m3u8" + query).status == 403);
    fixture.streams->opened({"cam"}, {"s"}, {});
    CHECK(fixture.call("GET", "/stream/cam.m3u8" + query).status == 200);
    fixture.wall_ms += (24 * 3600 + 60) * 1000;
    CHECK(fixture.call("GET", "/stream/cam.m3u8" + query).status == 401);
}

TEST_CASE("a token is carried by URI lines and URI attributes, whatever the playlist",
          "[front][playback]") {
    const std::string text =
        "#EXTM3U\n#EXT-X-MAP:URI=\"a/init.mp4\",BYTERANGE=\"1@0\"\n\n#EXTINF:2,\na/1.m4s?x=1\nlast";
    CHECK(with_token(text, "") == text);
    CHECK(with_token(text, "T") ==
          "#EXTM3U\n#EXT-X-MAP:URI=\"a/init.mp4?token=T\",BYTERANGE=\"1@0\"\n\n#EXTINF:2,\n"
          "a/1.m4s?x=1&token=T\nlast?token=T");
    CHECK(with_token("", "T").empty());
    CHECK(with_token("#EXT-X-MAP:URI=\"open", "T") == "#EXT-X-MAP:URI=\"open?token=T");
}
