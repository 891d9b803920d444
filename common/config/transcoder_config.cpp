#include "common/config/transcoder_config.h"

#include <algorithm>

#include "common/base/hex.h"
#include "common/config/bounded.h"
#include "common/config/common_flags.h"
#include "common/config/cpu_budget.h"
#include "common/config/field_error.h"
#include "common/config/ladder_json.h"
#include "common/config/orchestrator_config.h"
#include "common/config/places.h"
#include "common/domain/capacity.h"

namespace millrace::config {
namespace {

using Mistakes = std::vector<Mistake>;
using Label = std::pair<std::string, std::string>;

Result<HostPort> parse_orchestrator(const std::string& text) {
    auto address = parse_host_port(text);
    if (address && address->port == 0)
        return error(ErrorKind::bad_input, "needs a port that one can connect to");
    return address;
}

Result<Label> parse_label(const std::string& text) {
    constexpr std::size_t kLabelMax = 128;  // bytes of a value
    const std::size_t equals = text.find('=');
    const bool printable =
        std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
    if (equals == std::string::npos || !parse_name(text.substr(0, equals)) || !printable ||
        text.size() - equals > kLabelMax)
        return error(ErrorKind::bad_input, "must be KEY=VALUE, not " + quote(text));
    return Label(text.substr(0, equals), text.substr(equals + 1));
}

Result<Size> parse_size(const std::string& text) {
    const std::size_t x = text.find('x');
    const auto width = parse_count(text.substr(0, x), 16, 16384);
    const auto height = parse_count(x == std::string::npos ? "" : text.substr(x + 1), 16, 16384);
    if (!width || !height)
        return error(ErrorKind::bad_input, "must be WIDTHxHEIGHT, not " + quote(text));
    return Size{static_cast<std::int32_t>(*width), static_cast<std::int32_t>(*height)};
}

Result<Duration> parse_limit(const std::string& text) {
    auto value = parse_duration(text);
    if (value && (*value < std::chrono::seconds(1) || *value > std::chrono::minutes(10)))
        return error(ErrorKind::bad_input, "must be between 1s and 600s");
    return value;
}

Result<std::uint64_t> parse_body(const std::string& text) {
    auto value = parse_bytes(text);
    if (value && (*value < 1024 || *value > (1ULL << 30)))
        return error(ErrorKind::bad_input, "must be between 1KiB and 1GiB");
    return value;
}

Result<std::optional<SignerKey>> parse_signer(const std::string& text) {
    if (const auto bytes = sha256_from_hex(text))
        return std::optional(SignerKey{*bytes});
    return error(ErrorKind::bad_input, "must be 64 hex digits, not " + quote(text));
}

Flag gpus_flag(Flag flag, GpuSelection& target) {
    flag.shape = Shape::list;
    flag.set = [&target](const std::vector<std::string>& words) -> Result<void> {
        auto parsed = parse_gpus(words);
        if (!parsed)
            return parsed.error();
        parsed->stages = target.stages;
        target = *std::move(parsed);
        return {};
    };
    return flag;
}

Flag gpu_stages_flag(GpuSelection& target) {
    Flag flag{"gpu-stages", "decode,scale,encode",
              "what GPUs may do, as far as they can; the CPU does the rest", "all three"};
    flag.shape = Shape::list;
    flag.set = [&target](const std::vector<std::string>& words) -> Result<void> {
        const auto parsed = parse_gpu_stages(words);
        if (!parsed)
            return parsed.error();
        target.stages = *parsed;
        return {};
    };
    return flag;
}

// Everything is bound to one configuration and to what only the checks need.
struct Table {
    TranscoderConfig config;
    CountOrAuto slots;
    std::vector<Label> labels;
    std::map<std::string, std::string> environment;

    void add_joining(std::vector<Flag>& flags);
    void add_running(std::vector<Flag>& flags);
    void add_limits(std::vector<Flag>& flags);
    void check_run(const Given& given, Mistakes& mistakes);
    void check_labels(const Given& given, Mistakes& mistakes);
    void check_transcode(const Given& given, Mistakes& mistakes);
    Command run();
    Command devices();
    Command transcode();
    Command verify_receipt();
    Command bench();
    void add_ladder(std::vector<Flag>& flags);
    Program program();
};

void Table::add_joining(std::vector<Flag>& flags) {
    flags.push_back(list_flag({"orch-addr", "HOST:PORT", "orchestrator to join", ""},
                              config.orchestrators, parse_orchestrator));
    flags.push_back(list_flag({"join-token", "TOKEN|@FILE", "for the first join", ""},
                              config.join_tokens, parse_secret));
    flags.push_back(value_flag(
        {"max-sessions", "N|auto",
         "slots advertised; auto = as many as this machine carries, measured at the first start",
         "auto"},
        slots, [](const std::string& text) { return parse_count_or_auto(text, 1, kSlotsMax); }));
    flags.push_back(
        gpus_flag({"nvidia", "all|0,1|0:18,1:15",
                   "GPUs that carry sessions, as far as a trial at start says they can (index or "
                   "UUID; most sessions of each)",
                   "CPU only"},
                  config.gpus));
    flags.push_back(gpu_stages_flag(config.gpus));
    flags.push_back(value_flag({"name", "NAME", "how the orchestrator calls it", "host name"},
                               config.name, parse_name));
    flags.push_back(list_flag({"label", "K=V", "for operators", ""}, labels, parse_label));
}

void Table::add_running(std::vector<Flag>& flags) {
    flags.push_back(value_flag({"data-dir", "DIR", "own key; one transcoder each",
                                "$STATE_DIRECTORY, else ~/.local/state/millrace/transcoder/NAME"},
                               config.data_dir, parse_path));
    flags.push_back(value_flag(
        {"admin-addr", "HOST:PORT", "/metrics, /healthz, /readyz, /status", "127.0.0.1:6935"},
        config.admin_addr, parse_host_port));
    flags.push_back(
        value_flag({"drain-timeout", "D", "on SIGTERM: longest wait for running tasks", "30s"},
                   config.drain_timeout, parse_duration));
    flags.push_back(
        toggle_flag({"exit-if-unreachable", "", "exit (69) instead of trying for ever", ""},
                    config.exit_if_unreachable));
}

void Table::add_limits(std::vector<Flag>& flags) {
    SegmentLimits& limits = config.limits;
    flags.push_back(value_flag({"body-max", "BYTES", "largest segment", "32MiB"}, limits.body_bytes,
                               parse_body));
    flags.push_back(value_flag({"segment-duration-max", "D", "longest segment", "60s"},
                               limits.duration, parse_limit));
    flags.push_back(value_flag({"segment-frames-max", "N", "most frames of a segment", "4000"},
                               limits.frames, count(1, 100'000)));
    flags.push_back(value_flag({"segment-size-max", "WxH", "largest picture", "4096x2304"},
                               limits.picture, parse_size));
    flags.push_back(value_flag({"segment-streams-max", "N", "most streams of a segment", "8"},
                               limits.streams, count(1, 64)));
}

void Table::check_labels(const Given& given, Mistakes& mistakes) {
    for (const auto& [key, value] : labels)
        if (!config.labels.emplace(key, value).second)
            mistakes.push_back({given.origin("label"), quote(key) + " is given twice"});
    if (labels.size() > kLabelsMax)
        mistakes.push_back({given.origin("label"), "there can be at most 32"});
}

void Table::check_run(const Given& given, Mistakes& mistakes) {
    if (config.orchestrators.empty() && !given.has("orch-addr"))
        mistakes.push_back(
            {given.origin("orch-addr"), "is required: HOST:PORT of the orchestrator"});
    if (config.orchestrators.size() > kOrchestratorsMax)
        mistakes.push_back({given.origin("orch-addr"), "there can be at most 16"});
    check_labels(given, mistakes);
    config.slots_auto = !slots.has_value();
    config.slots = slots.value_or(slots_for(cpu_budget()));
    if (config.name.empty())
        config.name = host_name();
    if (config.data_dir.empty())
        config.data_dir = default_data_dir(environment, "transcoder/" + config.name);
    if (config.data_dir.empty() && !given.has("data-dir"))
        mistakes.push_back({"--data-dir", "is needed: there is no home directory to put it into"});
}

void Table::check_transcode(const Given& given, Mistakes& mistakes) {
    if (!given.has("out-dir"))
        mistakes.push_back({given.origin("out-dir"), "is required: where the renditions go"});
    const GpuSelection& gpus = config.gpus;
    if (gpus.all || gpus.chosen.size() > 1 ||
        (gpus.chosen.size() == 1 && gpus.chosen.front().sessions_max))
        mistakes.push_back(
            {given.origin("nvidia"), "takes one GPU here, by index or UUID and without a limit"});
}

Command Table::run() {
    Command command{"run", "join an orchestrator and transcode for it", {}};
    add_joining(command.flags);
    add_running(command.flags);
    add_limits(command.flags);
    add_log_flags(command.flags, config.log);
    command.check = [this](const Given& given, Mistakes& mistakes) { check_run(given, mistakes); };
    return command;
}

Command Table::devices() {
    Command command{"devices", "what this machine can do, and why not", {}};
    command.flags.push_back(toggle_flag({"json", "", "answer as JSON", ""}, config.json));
    command.flags.push_back(toggle_flag(
        {"self-test", "",
         "try everything on each GPU and print a report for an issue, within a minute", ""},
        config.self_test));
    add_log_flags(command.flags, config.log);
    return command;
}

Command Table::transcode() {
    Command command{"transcode",
                    "the same pipeline without an orchestrator; INPUTs are consecutive "
                    "segments of one stream",
                    {}};
    add_ladder(command.flags);
    command.flags.push_back(value_flag({"out-dir", "DIR", "gets RENDITION/N.EXT, N from 0", ""},
                                       config.out_dir, parse_path));
    command.flags.push_back(
        gpus_flag({"nvidia", "N|UUID", "GPU that does what it can", "CPU only"}, config.gpus));
    command.flags.push_back(gpu_stages_flag(config.gpus));
    command.flags.push_back(
        toggle_flag({"json", "", "print each result as JSON", ""}, config.json));
    add_limits(command.flags);
    add_log_flags(command.flags, config.log);
    const auto set = [this](const std::vector<std::string>& words) -> Result<void> {
        config.inputs = words;
        return {};
    };
    command.positionals.push_back({"INPUT", true, set});
    command.check = [this](const Given& given, Mistakes& mistakes) {
        check_transcode(given, mistakes);
    };
    return command;
}

Command Table::verify_receipt() {
    Command command{
        "verify-receipt",
        "check what a transcoder signed, as `orchestrator ledger receipt` prints it, and "
        "say what it attests",
        {}};
    command.flags.push_back(value_flag({"key", "HEX", "the signing key it has to be of", ""},
                                       config.expected, parse_signer));
    command.flags.push_back(value_flag(
        {"data-dir", "DIR", "of a transcoder: the receipt has to be signed with its key", ""},
        config.data_dir, parse_path));
    command.flags.push_back(toggle_flag({"json", "", "answer as JSON", ""}, config.json));
    add_log_flags(command.flags, config.log);
    command.positionals.push_back(
        {"FILE|-", false, [this](const std::vector<std::string>& words) -> Result<void> {
             config.receipt = words.front();
             return {};
         }});
    command.check = [](const Given& given, Mistakes& mistakes) {
        if (given.has("key") && given.has("data-dir"))
            mistakes.push_back({given.origin("key"), "and --data-dir exclude each other"});
    };
    return command;
}

void Table::add_ladder(std::vector<Flag>& flags) {
    flags.push_back(value_flag(
        {"ladder", "FILE|NAMES", "JSON file or preset names", std::string(kDefaultLadder)},
        config.ladder, accept_ladder));
}

Command Table::bench() {
    Command command{
        "bench", "find the largest number of sessions this machine carries in real time", {}};
    add_ladder(command.flags);
    command.flags.push_back(list_flag(
        {"input", "FILE", "segments to transcode; repeatable",
         "a clip of 1280x720 at 30/s, made here"},
        config.inputs, [](const std::string& text) -> Result<std::string> { return text; }));
    command.flags.push_back(
        gpus_flag({"nvidia", "all|0,1|0:18,1:15", "GPUs that the sessions have, as a transcoder's",
                   "CPU only"},
                  config.gpus));
    command.flags.push_back(gpu_stages_flag(config.gpus));
    command.flags.push_back(toggle_flag({"json", "", "answer as JSON", ""}, config.json));
    add_limits(command.flags);
    add_log_flags(command.flags, config.log);
    return command;
}

Program Table::program() {
    return {"transcoder",
            "Joins an orchestrator and transcodes live video for it.",
            {run(), devices(), transcode(), verify_receipt(), bench()}};
}

}  // namespace

std::vector<std::string> transcoder_flag_names() {
    Table table;
    return flag_names(table.program());
}

Setup<TranscoderConfig> read_transcoder_config(const Invocation& invocation) {
    Table table;
    table.config.ladder = *parse_ladder_option(kDefaultLadder);
    table.environment = invocation.environment;
    Program program = table.program();
    program.foreign_flags = orchestrator_flag_names();
    const Outcome outcome = parse_options(program, invocation);
    if (!outcome.proceed)
        return {std::nullopt, outcome.exit_code, outcome.text};
    const auto found =
        std::find_if(program.commands.begin(), program.commands.end(),
                     [&](const Command& command) { return command.name == outcome.command; });
    table.config.command = static_cast<TranscoderCommand>(found - program.commands.begin());
    return {std::move(table.config), 0, ""};
}

}  // namespace millrace::config
