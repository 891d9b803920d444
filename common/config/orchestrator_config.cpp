#include "common/config/orchestrator_config.h"

#include <algorithm>

#include "common/config/bounded.h"
#include "common/config/ladder_json.h"
#include "common/config/orchestrator_table.h"
#include "common/config/places.h"
#include "common/config/transcoder_config.h"
#include "common/domain/capacity.h"

namespace millrace::config {
namespace {

constexpr std::uint32_t kSessionsMax = 1'000'000;

Result<PlaybackMode> parse_playback(const std::string& text) {
    if (text == "public")
        return PlaybackMode::public_;
    if (text == "token")
        return PlaybackMode::token;
    if (text == "off")
        return PlaybackMode::off;
    return error(ErrorKind::bad_input, "must be public, token or off, not " + quote(text));
}

Result<bool> parse_switch(const std::string& text) {
    if (text == "on" || text == "off")
        return text == "on";
    return error(ErrorKind::bad_input, "must be on or off, not " + quote(text));
}

// The sentences do not quote the text: a webhook's URL may hold a secret.
Result<AuthSetting> parse_auth(const std::string& text) {
    if (text == "none")
        return AuthSetting{AuthKind::none, {}};
    if (text == "accounts")
        return AuthSetting{AuthKind::accounts, {}};
    constexpr std::string_view kWebhook = "webhook:";
    if (!text.starts_with(kWebhook))
        return error(ErrorKind::bad_input, "must be none, accounts, webhook:URL or webhook:@FILE");
    auto url = parse_secret(text.substr(kWebhook.size()));
    if (!url)
        return url.error();
    const std::string& revealed = url->reveal();
    const std::string base = revealed.substr(0, revealed.find('?'));
    const bool plain = std::all_of(revealed.begin(), revealed.end(),
                                   [](char c) { return c > 0x20 && c < 0x7f && c != '#'; });
    if (!plain || !parse_base_url(base))
        return error(ErrorKind::bad_input,
                     "webhook: must be followed by a URL like https://auth.example/live?key=x");
    return AuthSetting{AuthKind::webhook, *std::move(url)};
}

}  // namespace

Result<CountOrAuto> operator_limit(const std::string& text) {
    return parse_count_or_auto(text, 0, kSessionsMax);
}

void Table::add_admin_addr(std::vector<Flag>& flags) {
    flags.push_back(value_flag(
        {"admin-addr", "HOST:PORT", "admin API, /metrics, status page", "127.0.0.1:7935"},
        config.admin_addr, parse_host_port));
}

void Table::add_data_dir(std::vector<Flag>& flags) {
    flags.push_back(value_flag({"data-dir", "DIR", "keys and database; one orchestrator each",
                                "$STATE_DIRECTORY, else ~/.local/state/millrace/orchestrator"},
                               config.data_dir, parse_path));
}

void Table::add_addresses(std::vector<Flag>& flags) {
    flags.push_back(value_flag(
        {"service-addr", "HOST:PORT", "HTTP(S) for broadcasters and players", "127.0.0.1:8935"},
        config.service_addr, parse_host_port));
    flags.push_back(value_flag({"public-url", "URL", "how others reach it", "from --service-addr"},
                               config.public_url, parse_base_url));
    flags.push_back(value_flag({"tls-cert", "FILE", "HTTPS with this certificate chain (PEM)", ""},
                               config.tls_cert, parse_readable_file));
    flags.push_back(
        value_flag({"tls-key", "FILE", "its key (PEM); both are read again when they change", ""},
                   config.tls_key, parse_key_file));
    flags.push_back(
        value_flag({"link-addr", "HOST:PORT", "control lane for transcoders", "127.0.0.1:8936"},
                   config.link_addr, parse_host_port));
    flags.push_back(value_flag(
        {"payload-addr", "HOST:PORT", "payload lane for transcoders", "link host, link port + 1"},
        config.payload_addr, parse_host_port));
    flags.push_back(
        value_flag({"link-public", "HOST", "the name workers use to reach us", "link host"},
                   config.link_public, parse_host));
    add_admin_addr(flags);
    add_data_dir(flags);
}

void Table::add_work(std::vector<Flag>& flags) {
    flags.push_back(
        value_flag({"max-sessions", "N|auto",
                    "operator's limit; auto = no limit of its own, 0 = accept none", "auto"},
                   config.max_sessions, operator_limit));
    flags.push_back(
        value_flag({"local-transcoder", "N", "also transcode on this host, with N slots", "0"},
                   config.local_transcoder, count(0, kSlotsMax)));
    flags.push_back(value_flag({"ladder", "FILE|NAMES", "default ladder: JSON file or preset names",
                                std::string(kDefaultLadder)},
                               config.ladder, accept_ladder));
    flags.push_back(
        value_flag({"auth", "MODE",
                    "who may push: none (everybody), accounts (see account add), webhook:URL or "
                    "webhook:@FILE (go-livepeer's auth webhook)",
                    "none on loopback"},
                   config.auth, parse_auth));
    flags.push_back(value_flag(
        {"webhook-ca", "FILE", "whom to believe about an https webhook (PEM)", "the system's"},
        config.webhook_ca, parse_readable_file));
    flags.push_back(value_flag(
        {"playback", "MODE", "who may watch: public, token (the one in playback_url) or off",
         "public on loopback, else token"},
        config.playback, parse_playback));
    flags.push_back(value_flag(
        {"cut-through", "on|off", "send a session's next segment on while it still arrives", "on"},
        config.cut_through, parse_switch));
    flags.push_back(value_flag(
        {"keep-bytes", "BYTES", "answered segments kept for replay and playback", "1GiB"},
        config.keep_bytes, bytes(0, 1ULL << 46)));
    flags.push_back(
        value_flag({"playlist-segments", "N", "segments listed in a media playlist; 0 = all", "6"},
                   config.playlist_segments, count(0, 100'000)));
    flags.push_back(
        toggle_flag({"livepeer-metrics", "", "also expose go-livepeer's metric names", ""},
                    config.livepeer_metrics));
}

void Table::add_limits(std::vector<Flag>& flags) {
    using std::chrono::milliseconds;
    using std::chrono::minutes;
    HttpLimits& limits = config.limits;
    flags.push_back(value_flag({"body-max", "BYTES", "largest segment", "32MiB"}, limits.body_bytes,
                               bytes(1024, 1ULL << 30)));
    flags.push_back(value_flag({"renditions-max", "N", "largest ladder", "8"}, limits.renditions,
                               count(1, kRenditionsMax)));
    flags.push_back(value_flag({"headers-max", "BYTES", "largest request head", "16KiB"},
                               limits.header_bytes, bytes(1024, 1ULL << 20)));
    flags.push_back(value_flag({"headers-timeout", "D", "time for a request head", "5s"},
                               limits.header_time, duration(milliseconds(100), minutes(5))));
    flags.push_back(value_flag({"body-pause-max", "D", "longest silence inside a body", "10s"},
                               limits.body_pause, duration(milliseconds(100), minutes(5))));
    flags.push_back(
        value_flag({"body-time-max", "D", "time for a whole body, however slow its source", "10m"},
                   limits.body_time, duration(milliseconds(100), minutes(24 * 60))));
    flags.push_back(value_flag({"connections-max", "N", "open connections", "1024"},
                               limits.connections, count(1, 100'000)));
    flags.push_back(value_flag({"connections-per-address-max", "N",
                                "open connections of one address, or IPv6 /64", "unlimited"},
                               limits.connections_per_address, count(1, 100'000)));
}

void Table::add_admin_client(std::vector<Flag>& flags) {
    add_admin_addr(flags);
    add_data_dir(flags);
    flags.push_back(
        value_flag({"admin-token", "TOKEN|@FILE", "admin token", "the one in --data-dir"},
                   config.admin_token, parse_secret));
    flags.push_back(toggle_flag({"json", "", "answer as JSON", ""}, config.json));
}

void Table::check_all(const Given& given, Mistakes& mistakes) {
    config.admin_addr_given = given.has("admin-addr");
    if (config.data_dir.empty())
        config.data_dir = default_dir;
    if (config.data_dir.empty() && !given.has("data-dir"))
        mistakes.push_back({"--data-dir", "is needed: there is no home directory to put it into"});
}

// Everything that is derived from an address is derived from the one in use.
void Table::check_handed() {
    if (config.handed.service)
        config.service_addr = config.handed.service->address;
    if (config.handed.link)
        config.link_addr = config.handed.link->address;
    if (config.handed.payload)
        config.payload_addr = config.handed.payload->address;
}

void Table::check_serve(const Given& given, Mistakes& mistakes) {
    check_all(given, mistakes);
    check_handed();
    if (given.has("tls-cert") != given.has("tls-key"))
        mistakes.push_back({given.origin(given.has("tls-cert") ? "tls-key" : "tls-cert"),
                            "is needed too: --tls-cert and --tls-key belong together"});
    if (given.has("webhook-ca") && config.auth.kind != AuthKind::webhook)
        mistakes.push_back({given.origin("webhook-ca"), "is of no use without --auth webhook:URL"});
    const bool reachable = !is_loopback(config.service_addr.host);
    if (reachable && !given.has("auth"))
        mistakes.push_back({given.origin("auth"),
                            "is required when others can reach " + to_string(config.service_addr) +
                                " (--service-addr): none, accounts or webhook:URL"});
    if (reachable && !given.has("playback"))
        config.playback = PlaybackMode::token;
    if (!given.has("payload-addr") && !config.handed.payload) {
        const HostPort& link = config.link_addr;
        if (link.port == 65535)
            mistakes.push_back({given.origin("payload-addr"),
                                "is needed: there is no port after that of --link-addr"});
        const int port = link.port == 0 ? 0 : link.port + 1;
        config.payload_addr = {link.host, static_cast<std::uint16_t>(port)};
    }
    if (config.link_public.empty())
        config.link_public = config.link_addr.host;
    check_stake(config.stake, given, mistakes);
    if (config.ladder.size() > config.limits.renditions)
        mistakes.push_back({given.origin("ladder"), "has more renditions than --renditions-max"});
}

Command Table::serve() {
    Command serve{"serve", "run the orchestrator", {}};
    add_addresses(serve.flags);
    add_work(serve.flags);
    add_limits(serve.flags);
    add_stake_flags(serve.flags, config.stake);
    add_log_flags(serve.flags, config.log);
    serve.check = [this](const Given& given, Mistakes& mistakes) { check_serve(given, mistakes); };
    return serve;
}

namespace {

OrchestratorCommand command_of(const Program& program, const std::string& name) {
    const auto found = std::find_if(program.commands.begin(), program.commands.end(),
                                    [&](const Command& command) { return command.name == name; });
    return static_cast<OrchestratorCommand>(found - program.commands.begin());
}

}  // namespace

std::vector<std::string> orchestrator_flag_names() {
    Table table;
    return flag_names(table.program());
}

Setup<OrchestratorConfig> read_orchestrator_config(const Invocation& invocation,
                                                   HandedSockets handed) {
    Table table;
    table.config.handed = std::move(handed);
    table.config.ladder = *parse_ladder_option(kDefaultLadder);
    table.default_dir = default_data_dir(invocation.environment, "orchestrator");
    Program program = table.program();
    program.foreign_flags = transcoder_flag_names();
    const Outcome outcome = parse_options(program, invocation);
    if (!outcome.proceed)
        return {std::nullopt, outcome.exit_code, outcome.text};
    table.config.command = command_of(program, outcome.command);
    return {std::move(table.config), 0, ""};
}

}  // namespace millrace::config
