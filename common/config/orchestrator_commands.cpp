#include <algorithm>
#include <limits>

#include "common/base/hex.h"
#include "common/config/bounded.h"
#include "common/config/instant.h"
#include "common/config/orchestrator_table.h"
#include "common/config/places.h"
#include "common/domain/account.h"

namespace millrace::config {
namespace {

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

}  // namespace

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

Command Table::max_sessions() {
    Command limit = client("max-sessions", "set the operator's limit of a running orchestrator");
    limit.positionals.push_back(
        {"N|auto", false, [this](const std::vector<std::string>& words) -> Result<void> {
             auto parsed = operator_limit(words.front());
             if (!parsed)
                 return parsed.error();
             config.max_sessions = *parsed;
             return {};
         }});
    return limit;
}

Command Table::join_token() {
    Command token = client("join-token", "make a join token");
    token.flags.push_back(value_flag({"ttl", "D", "how long it is good; 0 = for ever", "24h"},
                                     config.token_ttl, parse_duration));
    token.flags.push_back(
        toggle_flag({"once", "", "good for one transcoder", ""}, config.token_once));
    return token;
}

Command Table::backup() {
    Command backup = client(
        "backup", "copy the database of --data-dir, also of a running orchestrator, to FILE");
    backup.positionals.push_back(
        {"FILE", false, [this](const std::vector<std::string>& words) -> Result<void> {
             config.target = words.front();
             return {};
         }});
    return backup;
}

Program Table::program() {
    Program program{
        "orchestrator", "Takes live video, hands it to transcoders, answers with renditions.", {}};
    program.commands = {serve(),
                        client("status", "what the orchestrator is doing"),
                        client("sessions", "live sessions"),
                        client("transcoders", "transcoders and their load"),
                        client_with_target("drain", "let a transcoder finish and leave", "NAME"),
                        client_with_target("cordon", "give a transcoder no new sessions", "NAME"),
                        client_with_target("uncordon", "take a cordon away", "NAME"),
                        max_sessions(),
                        client_with_target("session end", "end a session", "ID"),
                        join_token(),
                        client("join-token list", "join tokens that exist"),
                        client_with_target("join-token revoke", "end a join token", "ID"),
                        client("stake", "what stake is known and what it allows"),
                        account_add(),
                        client("account list", "accounts and their limits"),
                        client_with_target("account remove",
                                           "end an account: its key, tokens and sessions", "NAME"),
                        client("token-key list", "keys that sign session and playback tokens"),
                        client("token-key rotate", "sign with a new key from now on"),
                        backup(),
                        ledger(),
                        ledger_close(),
                        client("ledger periods", "closed periods and their heads"),
                        ledger_verify(),
                        trace(),
                        ledger_receipt()};
    return program;
}

}  // namespace millrace::config
