#include "common/config/stake_config.h"

#include <algorithm>

#include "common/base/hex.h"
#include "common/config/field_error.h"
#include "common/config/values.h"

namespace millrace::config {
namespace {

constexpr std::size_t kNodesMax = 8;

struct Source {
    StakeKind kind = StakeKind::none;
    std::string path;
};

Result<Source> parse_source(const std::string& text) {
    constexpr std::string_view kFile = "file:";
    if (text == "none")
        return Source{};
    if (text == "ethereum")
        return Source{StakeKind::ethereum, ""};
    if (text.starts_with(kFile) && text.size() > kFile.size())
        return Source{StakeKind::file, text.substr(kFile.size())};
    return error(ErrorKind::bad_input, "must be none, file:PATH or ethereum, not " + quote(text));
}

// Its checksum is judged where keccak is at hand (orchestrator/stake).
Result<std::string> parse_address(const std::string& text) {
    const auto bytes = text.starts_with("0x") ? from_hex(text.substr(2)) : std::nullopt;
    if (!bytes || bytes->size() != 20)
        return error(ErrorKind::bad_input, "must be an address: 0x and 40 hex digits");
    return text;
}

Result<std::string> parse_node(const std::string& text) {
    // Not quoted: a node's URL often holds a key.
    if (!text.starts_with("http://") && !text.starts_with("https://"))
        return error(ErrorKind::bad_input, "must be http:// or https:// URLs");
    return text;
}

Result<Duration> parse_interval(const std::string& text) {
    auto value = parse_duration(text);
    if (value && *value < std::chrono::milliseconds(100))
        return error(ErrorKind::bad_input, "must be at least 100ms");
    return value;
}

Flag source_flag(StakeConfig& stake) {
    Flag flag{"stake", "SOURCE", "where stake is read: none, file:PATH or ethereum", "none"};
    flag.set = [&stake](const std::vector<std::string>& texts) -> Result<void> {
        const auto source = parse_source(texts.front());
        if (!source)
            return source.error();
        stake.kind = source->kind;
        stake.path = source->path;
        return {};
    };
    return flag;
}

}  // namespace

void add_stake_flags(std::vector<Flag>& flags, StakeConfig& stake) {
    flags.push_back(source_flag(stake));
    flags.push_back(
        value_flag({"stake-per-session", "LPT",
                    "stake that must back each session; 0 = stake only decides active or not", "0"},
                   stake.per_session, [](const std::string& text) { return Lpt::parse(text); }));
    flags.push_back(value_flag(
        {"stake-grace", "D", "how long the last known stake holds when it cannot be read", "10m"},
        stake.grace, parse_interval));
    flags.push_back(value_flag({"stake-interval", "D", "how often nodes are asked", "30s"},
                               stake.interval, parse_interval));
    flags.push_back(list_flag(
        {"eth-url", "URL[,URL...]", "JSON-RPC nodes; several fail over, and most must agree", ""},
        stake.eth_urls, parse_node));
    flags.push_back(
        value_flag({"eth-controller", "ADDR", "Livepeer's Controller", "that of Arbitrum One"},
                   stake.eth_controller, parse_address));
    flags.push_back(value_flag({"eth-orch-addr", "ADDR", "whose stake is read", ""},
                               stake.eth_orch_addr, parse_address));
}

void check_stake(const StakeConfig& stake, const Given& given, std::vector<Mistake>& mistakes) {
    if (stake.eth_urls.size() > kNodesMax)
        mistakes.push_back({given.origin("eth-url"), "at most 8 nodes"});
    if (stake.kind == StakeKind::ethereum) {
        for (const char* needed : {"eth-url", "eth-orch-addr"})
            if (!given.has(needed))
                mistakes.push_back({given.origin(needed), "is needed for --stake ethereum"});
    } else {
        for (const char* idle : {"eth-url", "eth-controller", "eth-orch-addr", "stake-interval"})
            if (given.has(idle))
                mistakes.push_back({given.origin(idle), "means nothing without --stake ethereum"});
    }
    if (stake.kind == StakeKind::none)
        for (const char* idle : {"stake-per-session", "stake-grace"})
            if (given.has(idle))
                mistakes.push_back({given.origin(idle), "means nothing without --stake"});
}

}  // namespace millrace::config
