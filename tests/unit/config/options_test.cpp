#include "common/config/options.h"

#include "common/config/ladder_json.h"
#include "common/config/orchestrator_config.h"
#include "common/config/transcoder_config.h"
#include "tests/support/catch.h"
#include "tests/unit/config/temp_dir.h"

using namespace millrace;
using namespace millrace::config;
using namespace std::chrono_literals;
using Catch::Contains;
using millrace::test::TempDir;
using Env = std::map<std::string, std::string>;

namespace {

using Words = std::vector<std::string>;

Env with_home(Env environment) {
    environment.emplace("HOME", "/home/somebody");
    return environment;
}

Setup<OrchestratorConfig> orchestrator(Words words, Env environment = {}) {
    return read_orchestrator_config({std::move(words), with_home(std::move(environment))});
}

Setup<TranscoderConfig> transcoder(Words words, Env environment = {}) {
    return read_transcoder_config({std::move(words), with_home(std::move(environment))});
}

OrchestratorConfig good(Words words, Env environment = {}) {
    auto setup = orchestrator(std::move(words), std::move(environment));
    INFO(setup.text);
    REQUIRE(setup.config);
    return *std::move(setup.config);
}

TranscoderConfig good_transcoder(Words words, Env environment = {}) {
    auto setup = transcoder(std::move(words), std::move(environment));
    INFO(setup.text);
    REQUIRE(setup.config);
    return *std::move(setup.config);
}

}  // namespace

TEST_CASE("the orchestrator's defaults are the contract's", "[config][options]") {
    const OrchestratorConfig c = good({});
    CHECK(c.command == OrchestratorCommand::serve);
    CHECK(to_string(c.service_addr) == "127.0.0.1:8935");
    CHECK(to_string(c.link_addr) == "127.0.0.1:8936");
    CHECK(to_string(c.payload_addr) == "127.0.0.1:8937");
    CHECK(c.link_public == "127.0.0.1");
    CHECK(to_string(c.admin_addr) == "127.0.0.1:7935");
    CHECK(c.data_dir == "/home/somebody/.local/state/millrace/orchestrator");
    CHECK_FALSE(c.max_sessions.has_value());
    CHECK(c.local_transcoder == 0);
    CHECK(c.ladder.size() == 2);
    CHECK(c.playback == PlaybackMode::public_);
    CHECK(c.keep_bytes == 1ULL << 30);
    CHECK(c.playlist_segments == 6);
    CHECK(c.limits.body_bytes == 32ULL << 20);
    CHECK(c.limits.connections == 1024);
    CHECK(c.log == LogOptions{});
}

TEST_CASE("a flag beats the environment, which beats the file, which beats the default",
          "[config][options]") {
    const TempDir dir;
    const std::string file =
        dir.write("c.json", R"({"keep-bytes": 7, "playlist-segments": 7, "local-transcoder": 7})");
    const OrchestratorConfig c =
        good({"--keep-bytes", "9", "--config", file},
             {{"MILLRACE_KEEP_BYTES", "8"}, {"MILLRACE_PLAYLIST_SEGMENTS", "8"}});
    CHECK(c.keep_bytes == 9);
    CHECK(c.playlist_segments == 8);
    CHECK(c.local_transcoder == 7);
    CHECK(good({}, {{"MILLRACE_CONFIG", file}}).keep_bytes == 7);
    CHECK(good({}, {{"MILLRACE_KEEP_BYTES", ""}}).keep_bytes == 1ULL << 30);
}

TEST_CASE("all mistakes are told at once, each with its key and its source", "[config][options]") {
    const TempDir dir;
    const std::string file = dir.write(
        "c.json",
        R"({"service-addr": "nowhere", "colour": 1, "log-level": null, "max-sessions": [1]})");
    const auto setup = orchestrator({"--config", file, "--keep-bytes", "many", "--auth=friends"},
                                    {{"MILLRACE_LOG_FORMAT", "xml"}, {"MILLRACE_COLOUR", "red"}});
    CHECK_FALSE(setup.config);
    CHECK(setup.exit_code == 78);
    CHECK_THAT(setup.text, Contains("--service-addr (from " + file + "): must be HOST:PORT"));
    CHECK_THAT(setup.text, Contains("'colour' (from " + file + "): there is no such flag"));
    CHECK_THAT(setup.text, Contains("--log-level (from " + file + ")"));
    CHECK_THAT(setup.text, Contains("--max-sessions (from " + file + ")"));
    CHECK_THAT(setup.text, Contains("--keep-bytes: must be a number of bytes"));
    CHECK_THAT(setup.text, Contains("--auth: must be none, accounts, webhook:URL"));
    CHECK_THAT(setup.text, Contains("--log-format (from the environment, MILLRACE_LOG_FORMAT)"));
    CHECK_THAT(setup.text,
               Contains("MILLRACE_COLOUR (from the environment): there is no such flag"));
}

TEST_CASE("wrong usage is 64 and names the word", "[config][options]") {
    const auto text_of = [](Words words) {
        const auto setup = orchestrator(std::move(words));
        CHECK_FALSE(setup.config);
        CHECK(setup.exit_code == 64);
        return setup.text;
    };
    CHECK_THAT(text_of({"--auth-file", "x"}), Contains("there is no flag --auth-file"));
    CHECK_THAT(text_of({"--redundancy=2", "--nvidia", "all"}),
               Contains("--redundancy") && Contains("--nvidia"));
    CHECK_THAT(text_of({"frobnicate"}), Contains("there is no command 'frobnicate'"));
    CHECK_THAT(text_of({"drain"}), Contains("drain needs NAME"));
    CHECK_THAT(text_of({"drain", "a", "b"}), Contains("nothing to do with 'b'"));
    CHECK_THAT(text_of({"session", "stop", "x"}), Contains("there is no command 'session'"));
    CHECK_THAT(text_of({"status", "--ladder", "x"}),
               Contains("--ladder is not a flag of 'status'"));
    CHECK_THAT(text_of({"--log-level"}), Contains("--log-level"));
    CHECK_THAT(text_of({"--log-level", "info", "--log-level", "warn"}), Contains("given twice"));
    CHECK_THAT(text_of({"account", "rename", "x"}), Contains("there is no command"));
}

TEST_CASE("subcommands take their words and flags, before or behind", "[config][options]") {
    CHECK(good({"status", "--json"}).json);
    CHECK(good({"--admin-addr", "127.0.0.1:1", "status"}).admin_addr.port == 1);
    CHECK(good({"status"}).admin_addr_given == false);
    const OrchestratorConfig end = good({"session", "end", "abc"});
    CHECK(end.command == OrchestratorCommand::session_end);
    CHECK(end.target == "abc");
    CHECK(good({"drain", "status"}).target == "status");
    CHECK(good({"uncordon", "w1"}).command == OrchestratorCommand::uncordon);
    CHECK(good({"max-sessions", "3"}).max_sessions == 3U);
    CHECK_FALSE(good({"max-sessions", "auto"}).max_sessions.has_value());
    CHECK(orchestrator({"max-sessions", "lots"}).exit_code == 78);
    const OrchestratorConfig token = good({"join-token", "--ttl", "0", "--once"});
    CHECK(token.command == OrchestratorCommand::join_token_create);
    CHECK(token.token_ttl == 0s);
    CHECK(token.token_once);
    CHECK(good({"join-token", "list"}).command == OrchestratorCommand::join_token_list);
    CHECK(good({"join-token", "revoke", "ff"}).command == OrchestratorCommand::join_token_revoke);
    CHECK(good({"join-token"}).token_ttl == 24h);
}

TEST_CASE("a file may hold keys of other commands, an environment those of the other program",
          "[config][options]") {
    const TempDir dir;
    const std::string file = dir.write("c.json", R"({"keep-bytes": "1GiB", "data-dir": "/d"})");
    CHECK(good({"status", "--config", file}).data_dir == "/d");
    CHECK(good({}, {{"MILLRACE_TEST_CACHE", "x"}, {"MILLRACE_BIN", "y"}}).keep_bytes == 1ULL << 30);
    CHECK(good({}, {{"MILLRACE_ORCH_ADDR", "x:1"}}).command == OrchestratorCommand::serve);
    CHECK(good_transcoder({"--orch-addr", "x:1"}, {{"MILLRACE_SERVICE_ADDR", "y:1"}}).name.size() >
          0);
}

TEST_CASE("help, version and check-config end well and say what they should", "[config][options]") {
    for (const Words& words : {Words{"--help"}, Words{"-h"}, Words{"drain", "--help"},
                               Words{"--version"}, Words{"--check-config"}}) {
        const auto setup = orchestrator(words);
        CHECK_FALSE(setup.config);
        CHECK(setup.exit_code == 0);
        CHECK_FALSE(setup.text.empty());
    }
    const std::string help = orchestrator({"--help"}).text;
    for (const char* word :
         {"--service-addr HOST:PORT", "[127.0.0.1:8935]", "join-token revoke", "--help"})
        CHECK_THAT(help, Contains(word));
    for (const char* word : {"--verify", "--nvidia"})
        CHECK_THAT(help, !Contains(word));
    CHECK_THAT(orchestrator({"drain", "--help"}).text, Contains("orchestrator drain NAME [flags]"));
    CHECK_THAT(orchestrator({"--version"}).text, Catch::StartsWith("orchestrator 0."));
    CHECK(orchestrator({"--check-config", "--keep-bytes", "x"}).exit_code == 78);
}

TEST_CASE("a service that others can reach needs to say who may use it", "[config][options]") {
    const auto setup = orchestrator({"--service-addr", "0.0.0.0:8935"});
    CHECK(setup.exit_code == 78);
    CHECK_THAT(setup.text, Contains("--auth: is required") && !Contains("--playback"));
    CHECK(good({"--service-addr", "0.0.0.0:8935", "--auth", "none"}).playback ==
          PlaybackMode::token);
    CHECK(good({}).playback == PlaybackMode::public_);
    const OrchestratorConfig c =
        good({"--service-addr", "[::]:8935", "--auth", "none", "--playback", "off"});
    CHECK(c.playback == PlaybackMode::off);
    CHECK(good({"--playback", "token"}).playback == PlaybackMode::token);
    CHECK(orchestrator({"--playback", "some"}).exit_code == 78);
}

TEST_CASE("accounts are described by flags, and by nothing that cannot be", "[config][options]") {
    CHECK(good({"--auth", "accounts"}).auth.kind == AuthKind::accounts);
    CHECK(good({"--service-addr", "0.0.0.0:1", "--auth", "accounts"}).auth.kind ==
          AuthKind::accounts);
    const TempDir dir;
    const std::string file = dir.write("hook", "https://hook.example/x?key=secret\n");
    std::filesystem::permissions(file, std::filesystem::perms::owner_read);
    for (const std::string url : {"http://127.0.0.1:80/a?b=c", "https://hook.example"})
        CHECK(good({"--auth", "webhook:" + url}).auth.webhook_url.reveal() == url);
    CHECK(good({"--auth", "webhook:https://a/", "--webhook-ca", file}).webhook_ca == file);
    CHECK_THAT(orchestrator({"--auth", "none", "--webhook-ca", file}).text,
               Contains("--webhook-ca: is of no use without --auth webhook:URL"));
    CHECK(good({"--auth", "webhook:@" + file}).auth.webhook_url.reveal() ==
          "https://hook.example/x?key=secret");
    for (const char* wrong : {"webhook:", "webhook:ftp://a", "webhook:http://",
                              "webhook:http://a b", "webhook:https://secret#x", "webhook"}) {
        const auto setup = orchestrator({"--auth", wrong});
        CHECK(setup.exit_code == 78);
        CHECK_THAT(setup.text, !Contains("secret"));
    }
    const OrchestratorConfig c =
        good({"account", "add", "acme", "--max-sessions", "2", "--max-bytes-per-second", "1MiB",
              "--stream", "a,b*", "--stream", "c"});
    CHECK(c.command == OrchestratorCommand::account_add);
    CHECK(c.target == "acme");
    CHECK(c.account_limits() == AccountLimits{2, std::nullopt, 1 << 20, std::nullopt});
    CHECK(c.account_streams == std::vector<std::string>{"a", "b*", "c"});
    CHECK(good({"token-key", "rotate"}).command == OrchestratorCommand::token_key_rotate);
    CHECK(orchestrator({"account", "add", "a", "--max-pixels-per-second", "0"}).exit_code == 78);
    CHECK(orchestrator({"account", "add"}).exit_code == 64);
}

TEST_CASE("the payload lane follows the control lane unless told otherwise", "[config][options]") {
    CHECK(to_string(good({"--link-addr", "[::1]:0"}).payload_addr) == "[::1]:0");
    CHECK(to_string(good({"--link-addr", "10.0.0.1:9000"}).payload_addr) == "10.0.0.1:9001");
    CHECK(to_string(good({"--payload-addr", "10.0.0.1:7"}).payload_addr) == "10.0.0.1:7");
    CHECK(good({"--link-addr", "0.0.0.0:1", "--link-public", "mill.example"}).link_public ==
          "mill.example");
    CHECK(orchestrator({"--link-addr", "127.0.0.1:65535"}).exit_code == 78);
}

TEST_CASE("a ladder comes by names, by file, or in place in the configuration file",
          "[config][options]") {
    const TempDir dir;
    const std::string ladder = dir.write("l.json", R"([{"name":"a","height":180,"quality":25}])");
    CHECK(good({"--ladder", ladder}).ladder.front().name == "a");
    CHECK(good({"--ladder", "P144p30fps16x9"}).ladder.front().width == 256);
    const std::string file =
        dir.write("c.json", R"({"ladder":[{"name":"b","height":180,"quality":25}]})");
    CHECK(good({"--config", file}).ladder.front().name == "b");
    const std::string wrong = dir.write("w.json", R"([{"name":"a"},{"name":"a","fps":-1}])");
    const auto setup = orchestrator({"--ladder", wrong});
    CHECK(setup.exit_code == 78);
    CHECK_THAT(setup.text, Contains("[0].bitrate") && Contains("[1].fps") && Contains("[1].name"));
    CHECK(orchestrator({"--ladder", ladder + "x"}).exit_code == 78);
    CHECK(orchestrator({"--renditions-max", "1"}).exit_code == 78);
}

TEST_CASE("a configuration file that is none is one clear mistake", "[config][options]") {
    const TempDir dir;
    CHECK_THAT(orchestrator({"--config", dir / "absent"}).text, Contains("--config: cannot read"));
    CHECK_THAT(orchestrator({"--config", dir.path()}).text, Contains("--config"));
    for (const char* text : {"", "[]", "{", "{\"keep-bytes\":1,\"keep-bytes\":2}"}) {
        const auto setup = orchestrator({"--config", dir.write("x.json", text)});
        CHECK(setup.exit_code == 78);
        CHECK_THAT(setup.text, Contains("x.json"));
    }
}

TEST_CASE("secrets come from files that others cannot read, and are never shown",
          "[config][options]") {
    const TempDir dir;
    const std::string open = dir.write("open", "s3cret\n", 0644);
    const std::string closed = dir.write("closed", "s3cret\nmore\n", 0600);
    CHECK(good({"status", "--admin-token", "@" + closed}).admin_token.reveal() == "s3cret");
    CHECK(good({"status", "--admin-token", "plain"}).admin_token.reveal() == "plain");
    const auto setup = orchestrator({"status", "--admin-token", "@" + open});
    CHECK(setup.exit_code == 78);
    CHECK_THAT(setup.text,
               Contains("--admin-token") && Contains("chmod 600") && !Contains("s3cret"));
    CHECK(orchestrator({"status", "--admin-token", "@" + dir.path()}).exit_code == 78);
    CHECK(orchestrator({"status", "--admin-token", "@" + dir.write("empty", "")}).exit_code == 78);
    CHECK(Secret("a") == Secret("a"));
    CHECK_FALSE(Secret("a") == Secret("b"));
}

TEST_CASE("the transcoder's defaults are the contract's", "[config][options]") {
    const TranscoderConfig c = good_transcoder({"--orch-addr", "10.0.0.1:8936", "--name", "w1"});
    CHECK(c.command == TranscoderCommand::run);
    CHECK(c.slots_auto);
    CHECK(c.slots >= 1);
    CHECK(c.data_dir == "/home/somebody/.local/state/millrace/transcoder/w1");
    CHECK(to_string(c.admin_addr) == "127.0.0.1:6935");
    CHECK(c.drain_timeout == 30s);
    CHECK_FALSE(c.exit_if_unreachable);
    CHECK(c.limits == SegmentLimits{});
    CHECK(good_transcoder({"--orch-addr", "h:1"}, {{"STATE_DIRECTORY", "/s"}}).data_dir == "/s");
}

TEST_CASE("the transcoder's lists repeat, split at commas, and come from anywhere",
          "[config][options]") {
    const TempDir dir;
    const TranscoderConfig c = good_transcoder(
        {"run", "--orch-addr", "a:1,b:2", "--orch-addr=[::1]:3", "--label", "zone=x", "--label",
         "tier=backup", "--max-sessions", "3", "--exit-if-unreachable"},
        {{"MILLRACE_JOIN_TOKEN", "mrj1_a,mrj1_b"}});
    REQUIRE(c.orchestrators.size() == 3);
    CHECK(to_string(c.orchestrators[2]) == "[::1]:3");
    CHECK(c.labels == std::map<std::string, std::string>{{"tier", "backup"}, {"zone", "x"}});
    CHECK(c.join_tokens.size() == 2);
    CHECK(c.slots == 3);
    CHECK(c.exit_if_unreachable);
    const std::string file = dir.write(
        "t.json",
        R"({"orch-addr":["a:1","b:2"],"max-sessions":2,"exit-if-unreachable":true,"label":"k=v"})");
    const TranscoderConfig from_file = good_transcoder({"--config", file});
    CHECK(from_file.orchestrators.size() == 2);
    CHECK(from_file.slots == 2);
    CHECK(from_file.exit_if_unreachable);
}

TEST_CASE("bench takes a ladder and segments", "[config][options]") {
    const auto given = transcoder(
        {"bench", "--ladder", "P240p30fps16x9", "--input", "a.ts", "--input", "b.ts", "--json"});
    REQUIRE(given.config);
    CHECK(given.config->command == TranscoderCommand::bench);
    CHECK(given.config->ladder.size() == 1);
    CHECK(given.config->inputs == std::vector<std::string>{"a.ts", "b.ts"});
    CHECK(given.config->json);
    const auto bare = transcoder({"bench"});
    REQUIRE(bare.config);
    CHECK(bare.config->ladder == *parse_ladder_option(kDefaultLadder));
    CHECK(bare.config->inputs.empty());
}

TEST_CASE("what a transcoder cannot run with is refused by name", "[config][options]") {
    CHECK_THAT(transcoder({}).text, Contains("--orch-addr: is required"));
    CHECK(transcoder({}).exit_code == 78);
    CHECK(transcoder({"benchmark"}).exit_code == 64);
    for (const Words& words :
         {Words{"--max-sessions", "0"}, Words{"--max-sessions", "257"}, Words{"--label", "novalue"},
          Words{"--label", "a=1,a=2"}, Words{"--name", "a/b"}, Words{"--orch-addr", "a:0"},
          Words{"--admin-addr", "x"}, Words{"--segment-size-max", "4096"},
          Words{"--drain-timeout", "30"}}) {
        Words all{"--orch-addr", "a:1"};
        if (words.front() == "--orch-addr")
            all.clear();
        all.insert(all.end(), words.begin(), words.end());
        const auto setup = transcoder(all);
        CHECK(setup.exit_code == 78);
        CHECK_THAT(setup.text, Contains(words.front()));
    }
}

TEST_CASE("transcode takes inputs, a ladder and a folder", "[config][options]") {
    const TranscoderConfig c = good_transcoder(
        {"transcode", "a.ts", "b.ts", "--out-dir", "/out", "--json", "--ladder", "P144p30fps16x9"});
    CHECK(c.command == TranscoderCommand::transcode);
    CHECK(c.inputs == Words{"a.ts", "b.ts"});
    CHECK(c.out_dir == "/out");
    CHECK(c.json);
    CHECK(c.ladder.size() == 1);
    CHECK(transcoder({"transcode", "--out-dir", "/out"}).exit_code == 64);
    CHECK(transcoder({"transcode", "a.ts"}).exit_code == 78);
    CHECK(good_transcoder({"devices", "--json"}).command == TranscoderCommand::devices);
}

TEST_CASE("certificate and key belong together, and only the owner may read the key",
          "[config][options]") {
    const TempDir dir;
    const std::string cert = dir.write("cert.pem", "c", 0644);
    const std::string key = dir.write("key.pem", "k", 0600);
    const std::string open = dir.write("open.pem", "k", 0644);
    const OrchestratorConfig c = good({"--tls-cert", cert, "--tls-key", key});
    CHECK(c.tls_cert == cert);
    CHECK(c.tls_key == key);
    CHECK(good({}).tls_cert.empty());
    const auto refused = [](Words words) {
        const auto setup = orchestrator(std::move(words));
        CHECK(setup.exit_code == 78);
        return setup.text;
    };
    CHECK_THAT(refused({"--tls-cert", cert}), Contains("--tls-key"));
    CHECK_THAT(refused({"--tls-key", key}), Contains("--tls-cert"));
    CHECK_THAT(refused({"--tls-cert", cert, "--tls-key", open}),
               Contains("--tls-key") && Contains("chmod 600"));
    CHECK_THAT(refused({"--tls-cert", dir / "none.pem", "--tls-key", key}),
               Contains("--tls-cert") && Contains("cannot read"));
    CHECK_THAT(refused({"--tls-cert", dir.path(), "--tls-key", key}), Contains("is not a file"));
}

TEST_CASE("a socket that was handed over counts instead of the address's flag",
          "[config][options]") {
    const auto with = [](const char* host) {
        HandedSockets handed;
        handed.service = HandedSocket{3, {host, 443}};
        handed.link = HandedSocket{4, {"10.0.0.1", 9000}};
        return read_orchestrator_config({{"--service-addr", "127.0.0.1:1"}, with_home({})}, handed);
    };
    const auto setup = with("127.0.0.1");
    REQUIRE(setup.config);
    CHECK(to_string(setup.config->service_addr) == "127.0.0.1:443");
    CHECK(to_string(setup.config->payload_addr) == "10.0.0.1:9001");
    CHECK(setup.config->link_public == "10.0.0.1");
    // As with the flag: who can be reached has to say whom it lets in.
    CHECK_THAT(with("0.0.0.0").text, Contains("--auth"));
}
