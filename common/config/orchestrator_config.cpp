#include "common/config/orchestrator_config.h"

#include <algorithm>
#include <limits>

#include "common/base/hex.h"
#include "common/config/common_flags.h"
#include "common/config/field_error.h"
#include "common/config/instant.h"
#include "common/config/ladder_json.h"
#include "common/config/places.h"
#include "common/config/transcoder_config.h"
#include "common/domain/capacity.h"

namespace millrace::config {
namespace {

using Mistakes = std::vector<Mistake>;
constexpr std::uint32_t kSessionsMax = 1'000'000;

// How many of what, within bounds.
auto count(std::uint64_t low, std::uint64_t high) {
    return [low, high](const std::string& text) { return parse_count(text, low, high); };
}

auto bytes(std::uint64_t low, std::uint64_t high) {
    return [low, high](const std::string& text) -> Result<std::uint64_t> {
        auto value = parse_bytes(text);
        if (value && (*value < low || *value > high))
            return error(ErrorKind::bad_input, "must be between " + std::to_string(low) + " and " +
                                                   std::to_string(high) + " bytes");
        return value;
    };
}

auto duration(Duration low, Duration high) {
    return [low, high](const std::string& text) -> Result<Duration> {
        auto value = parse_duration(text);
        if (value && (*value < low || *value > high))
            return error(ErrorKind::bad_input,
                         "must be between " + duration_text(low) + " and " + duration_text(high));
        return value;
    };
}

Result<CountOrAuto> operator_limit(const std::string& text) {
    return parse_count_or_auto(text, 0, kSessionsMax);
}

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

// The text itself, when it is a time.
Result<std::string> instant_text(const std::string& text) {
    if (const auto instant = parse_instant(text); !instant)
        return instant.error();
    return text;
}

Result<std::string> parse_ledger_by(const std::string& text) {
    if (text == "transcoder" || text == "account" || text == "session")
        return text;
    return error(ErrorKind::bad_input,
                 "must be transcoder, account or session, not " + quote(text));
}

Result<std::string> parse_head(const std::string& text) {
    if (sha256_from_hex(text))
        return text;
    return error(ErrorKind::bad_input, "must be 64 hex digits, not " + quote(text));
}

Result<LedgerSegment> parse_segment(const std::string& text) {
    const auto run_at = text.find('/');
    const auto seq_at = text.rfind('/');
    if (run_at != std::string::npos && run_at < seq_at) {
        const auto session = parse_name(text.substr(0, run_at));
        const auto run = parse_count(text.substr(run_at + 1, seq_at - run_at - 1), 0, UINT32_MAX);
        const auto seq = parse_count(text.substr(seq_at + 1), 0, UINT64_MAX);
        if (session && run && seq)
            return LedgerSegment{*session, static_cast<std::uint32_t>(*run), *seq};
    }
    return error(ErrorKind::bad_input, "must be SESSION/RUN/SEQ, not " + quote(text));
}

// Everything is bound to one configuration and to what only the checks need.
struct Table {
    OrchestratorConfig config;
    std::string default_dir;

    void add_addresses(std::vector<Flag>& flags);
    void add_work(std::vector<Flag>& flags);
    void add_limits(std::vector<Flag>& flags);
    void add_admin_client(std::vector<Flag>& flags);
    void add_admin_addr(std::vector<Flag>& flags);
    void add_data_dir(std::vector<Flag>& flags);
    void check_handed();
    void check_serve(const Given& given, Mistakes& mistakes);
    void check_all(const Given& given, Mistakes& mistakes);
    Command client(std::string name, std::string help);
    Command client_with_target(std::string name, std::string help, std::string what);
    Command account_add();
    Command trace();
    Command ledger();
    Command ledger_close();
    Command ledger_verify();
    Command ledger_receipt();
    Program program();
};

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

Command Table::client(std::string name, std::string help) {
    Command command{std::move(name), std::move(help), {}};
    add_admin_client(command.flags);
    command.check = [this](const Given& given, Mistakes& mistakes) { check_all(given, mistakes); };
    return command;
}

Command Table::client_with_target(std::string name, std::string help, std::string what) {
    Command command = client(std::move(name), std::move(help));
    const auto set = [this](const std::vector<std::string>& words) -> Result<void> {
        auto parsed = parse_name(words.front());
        if (!parsed)
            return parsed.error();
        config.target = *std::move(parsed);
        return {};
    };
    command.positionals.push_back({std::move(what), false, set});
    return command;
}

Command Table::trace() {
    Command trace = client("trace", "what happened to a segment, step by step");
    const auto set = [this](const std::vector<std::string>& words) -> Result<void> {
        const std::string& word = words.front();
        const std::size_t slash = std::min(word.find('/'), word.size());
        auto session = parse_name(word.substr(0, slash));
        const auto seq = parse_count(word.substr(std::min(slash + 1, word.size())), 0,
                                     std::numeric_limits<std::uint64_t>::max());
        if (!session || !seq)
            return error(
                ErrorKind::bad_input,
                "must be a session's id, a slash and a segment's number, not " + quote(word));
        config.target = *std::move(session);
        config.seq = *seq;
        return {};
    };
    trace.positionals.push_back({"SESSION/SEQ", false, set});
    return trace;
}

Command Table::account_add() {
    Command add = client_with_target("account add", "make an account and print its key", "NAME");
    add.flags.push_back(
        value_flag({"max-sessions", "N|auto", "sessions open at once; auto = no limit", "auto"},
                   config.max_sessions, operator_limit));
    add.flags.push_back(
        value_flag({"max-segments-per-minute", "N", "segments accepted", "no limit"},
                   config.account_segments, count(1, kAccountRateMax)));
    add.flags.push_back(
        value_flag({"max-bytes-per-second", "BYTES", "bytes of segments accepted", "no limit"},
                   config.account_bytes, bytes(1, kAccountRateMax)));
    add.flags.push_back(
        value_flag({"max-pixels-per-second", "N", "pixels encoded, all renditions", "no limit"},
                   config.account_pixels, count(1, kAccountRateMax)));
    add.flags.push_back(list_flag(
        {"stream", "NAME|PREFIX*", "streams it may use; repeatable", "all"}, config.account_streams,
        [](const std::string& text) -> Result<std::string> { return text; }));
    return add;
}

Command Table::ledger() {
    Command ledger = client("ledger", "who earned what: pixels, frames, bytes and seconds");
    LedgerQuestion& question = config.ledger;
    ledger.flags.push_back(
        value_flag({"by", "WHOM", "a line for each: transcoder, account or session", "transcoder"},
                   question.by, parse_ledger_by));
    ledger.flags.push_back(value_flag(
        {"since", "T", "from this time on: 2026-11-25T04:30:00Z, 2026-11-25 (UTC), or 24h ago",
         "the beginning"},
        question.since, instant_text));
    ledger.flags.push_back(value_flag({"until", "T", "up to before this time, likewise", "now"},
                                      question.until, instant_text));
    ledger.flags.push_back(value_flag({"period", "N", "a closed period instead of a time", ""},
                                      question.period, count(1, 1'000'000'000)));
    ledger.flags.push_back(toggle_flag({"csv", "", "answer as CSV", ""}, question.csv));
    ledger.check = [this](const Given& given, Mistakes& mistakes) {
        check_all(given, mistakes);
        if (given.has("period") && (given.has("since") || given.has("until")))
            mistakes.push_back(
                {given.origin("period"), "is a time of its own: leave --since and --until out"});
        if (given.has("period") && config.ledger.by == "session")
            mistakes.push_back({given.origin("by"),
                                "is transcoder or account for a period; for sessions give its "
                                "times with --since and --until"});
        if (config.ledger.csv && config.json)
            mistakes.push_back({given.origin("csv"), "and --json exclude each other"});
    };
    return ledger;
}

Command Table::ledger_close() {
    Command close = client("ledger close", "close a period: nothing in it changes any more");
    close.flags.push_back(value_flag(
        {"until", "T", "its end, not after now: 2026-11-25T04:30:00Z, 2026-11-25, 24h", "now"},
        config.ledger.until, instant_text));
    return close;
}

Command Table::ledger_verify() {
    Command verify =
        client("ledger verify",
               "check the chain, the sums, the seals and the receipts of the ledger in "
               "--data-dir");
    verify.flags.push_back(
        list_flag({"head", "HEX", "a head noted earlier, which has to be in the chain", ""},
                  config.ledger.heads, parse_head));
    return verify;
}

Command Table::ledger_receipt() {
    Command receipt = client("ledger receipt",
                             "print what the transcoder of a segment signed, out of --data-dir");
    receipt.positionals.push_back(
        {"SESSION/RUN/SEQ", false, [this](const std::vector<std::string>& words) -> Result<void> {
             auto segment = parse_segment(words.front());
             if (!segment)
                 return segment.error();
             config.ledger.segment = *std::move(segment);
             return {};
         }});
    return receipt;
}

Program Table::program() {
    Program program{
        "orchestrator", "Takes live video, hands it to transcoders, answers with renditions.", {}};
    Command serve{"serve", "run the orchestrator", {}};
    add_addresses(serve.flags);
    add_work(serve.flags);
    add_limits(serve.flags);
    add_stake_flags(serve.flags, config.stake);
    add_log_flags(serve.flags, config.log);
    serve.check = [this](const Given& given, Mistakes& mistakes) { check_serve(given, mistakes); };

    Command limit = client("max-sessions", "set the operator's limit of a running orchestrator");
    limit.positionals.push_back(
        {"N|auto", false, [this](const std::vector<std::string>& words) -> Result<void> {
             auto parsed = operator_limit(words.front());
             if (!parsed)
                 return parsed.error();
             config.max_sessions = *parsed;
             return {};
         }});
    Command token = client("join-token", "make a join token");
    token.flags.push_back(value_flag({"ttl", "D", "how long it is good; 0 = for ever", "24h"},
                                     config.token_ttl, parse_duration));
    token.flags.push_back(
        toggle_flag({"once", "", "good for one transcoder", ""}, config.token_once));

    Command backup = client(
        "backup", "copy the database of --data-dir, also of a running orchestrator, to FILE");
    backup.positionals.push_back(
        {"FILE", false, [this](const std::vector<std::string>& words) -> Result<void> {
             config.target = words.front();
             return {};
         }});

    program.commands = {std::move(serve),
                        client("status", "what the orchestrator is doing"),
                        client("sessions", "live sessions"),
                        client("transcoders", "transcoders and their load"),
                        client_with_target("drain", "let a transcoder finish and leave", "NAME"),
                        client_with_target("cordon", "give a transcoder no new sessions", "NAME"),
                        client_with_target("uncordon", "take a cordon away", "NAME"),
                        std::move(limit),
                        client_with_target("session end", "end a session", "ID"),
                        std::move(token),
                        client("join-token list", "join tokens that exist"),
                        client_with_target("join-token revoke", "end a join token", "ID"),
                        client("stake", "what stake is known and what it allows"),
                        account_add(),
                        client("account list", "accounts and their limits"),
                        client_with_target("account remove",
                                           "end an account: its key, tokens and sessions", "NAME"),
                        client("token-key list", "keys that sign session and playback tokens"),
                        client("token-key rotate", "sign with a new key from now on"),
                        std::move(backup),
                        ledger(),
                        ledger_close(),
                        client("ledger periods", "closed periods and their heads"),
                        ledger_verify(),
                        trace(),
                        ledger_receipt()};
    return program;
}

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
