#include "transcoder/run.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "common/config/cpu_budget.h"
#include "common/config/exit_code.h"
#include "common/config/ladder_json.h"
#include "common/config/version.h"
#include "common/net/context.h"
#include "common/net/join_token.h"
#include "common/net/keys.h"
#include "common/runtime/log.h"
#include "common/runtime/loop.h"
#include "common/runtime/service_manager.h"
#include "transcoder/admin.h"
#include "transcoder/bench/auto_slots.h"
#include "transcoder/bench/machine_lock.h"
#include "transcoder/data_dir.h"
#include "transcoder/engine/sanitized.h"
#include "transcoder/gpu/gpu_stock.h"
#include "transcoder/gpu/gpu_watch.h"
#include "transcoder/media/devices.h"
#include "transcoder/service.h"
#include "transcoder/task_metrics.h"

namespace millrace::transcoder {
namespace {

int fail(int code, const std::string& message) {
    std::fprintf(stderr, "transcoder: %s\n", message.c_str());
    return code;
}

std::string processor_name() {
    std::ifstream cpus("/proc/cpuinfo");
    for (std::string line; std::getline(cpus, line);)
        if (line.starts_with("model name"))
            if (const auto colon = line.find(": "); colon != std::string::npos)
                return line.substr(colon + 2);
    return "CPU";
}

class BenchFile final : public bench::Memory {
public:
    explicit BenchFile(const DataDir& directory) : directory_(directory) {}
    [[nodiscard]] std::string load() const override { return directory_.bench(); }
    void save(const std::string& text) override {
        if (const auto saved = directory_.save_bench(text); !saved)
            log::warn("bench", "will be measured again at the next start",
                      {{"problem", saved.error().message}});
    }

private:
    const DataDir& directory_;
};

// Everything `run` consists of, built in this order and taken down in reverse.
class Transcoder {
public:
    explicit Transcoder(const config::TranscoderConfig& config) : config_(config) {}

    int run() {
        if (const int code = build(); code != config::kExitDone || stopped_)
            return code;
        std::signal(SIGPIPE, SIG_IGN);
        loop_.on_signal({SIGTERM, SIGINT}, [this](int) {
            log::info("main", "leaving: running tasks are finished, none is taken");
            manager_.stopping();
            service_->drain();
        });
        log::info("main", "serving",
                  {{"name", config_.name},
                   {"slots", std::to_string(slots_)},
                   {"admin", admin_->endpoint()}});
        service_->start();
        manager_.serving("joining; /readyz of " + admin_->endpoint() + " tells when it has");
        loop_.run();
        return exit_code_;
    }

private:
    int build() {
        if (const int code = read_tokens(); code != config::kExitDone)
            return code;
        if (const int code = take_gpus(); code != config::kExitDone)
            return code;
        if (const auto opened = open_data_dir(); !opened)
            return fail(config::kExitConfig, opened.error().message);
        if (config_.slots_auto)
            if (const int code = measure_slots(); code != config::kExitDone || stopped_)
                return code;
        bound_slots_by_gpus();
        be_seen();
        metrics_.emplace(config::version());
        service_.emplace(
            Service::Parts{loop_, context_, key_, *signer_, pool_, *data_dir_, *metrics_, gpus_},
            options(), [this](int code, const std::string& message) { leave(code, message); });
        auto admin = Admin::start(loop_, *service_, *metrics_, gpus_,
                                  {config::to_string(config_.admin_addr), admin_token_,
                                   config_.name, std::string(config::version())});
        if (!admin)
            return fail(config::kExitConfig, "--admin-addr: " + admin.error().message);
        admin_ = std::move(*admin);
        if (const auto saved = data_dir_->save_endpoints(admin_->endpoint()); !saved)
            return fail(config::kExitConfig, saved.error().message);
        return config::kExitDone;
    }

    [[nodiscard]] bench::MachineFacts facts() const {
        bench::MachineFacts facts;
        facts.cpu = processor_name();
        facts.cores = config::cpu_budget();
        facts.version = config::version();
        facts.ffmpeg = media::ffmpeg_version();
        facts.sanitized = engine::kSanitized;
        if (stock_.empty())
            return facts;
        if (const auto nvml = gpu::Nvml::open())
            facts.driver = (*nvml)->driver();
        for (const gpu::GpuRecord& record : gpu::ready_of(stock_))
            facts.gpus.push_back(gpu::fingerprint(record));
        return facts;
    }

    // A signal may come meanwhile (stopped_). A GPU that fails while it is measured ends the
    // transcoder: at its next start the trial sees to it. Else what cannot be measured is guessed, and said.
    [[nodiscard]] int measure_slots() {
        const bench::MachineFacts machine = facts();
        BenchFile file(*data_dir_);
        const bench::CourseOptions course{*config::parse_ladder_option(config::kDefaultLadder),
                                          config_.limits, machine.cores, gpu::ready_of(stock_)};
        const auto measured = bench::auto_slots(machine, course, file);
        if (measured) {
            slots_ = measured->sessions;
            capacity_ = measured->capacity;
            // Its ladder has two renditions; who asks for eight takes as many encoders as four of those.
            capacity_.limits.encoder_sessions = gpu::encoder_sessions_max(stock_).value_or(0);
        } else if (measured.error().kind == ErrorKind::timeout) {
            log::info("main", "stopped while measuring");
            stopped_ = true;
        } else if (measured.error().kind == ErrorKind::device) {
            return fail(config::kExitDevice, "--nvidia " + config_.gpus.text() +
                                                 ": while it was measured how many sessions this "
                                                 "machine carries: " +
                                                 measured.error().message);
        } else {
            log::warn("bench", "not measured: half of the cores are advertised",
                      {{"problem", measured.error().message},
                       {"slots", std::to_string(slots_)},
                       {"remedy", "--max-sessions N"}});
        }
        return config::kExitDone;
    }

    // A limit of --nvidia says what a card carries, whatever the machine around it might.
    void bound_slots_by_gpus() {
        const auto bound = gpu::sessions_max(stock_);
        if (stock_.empty() || !bound || *bound >= slots_)
            return;
        log::info("gpu", "the limits of --nvidia bind",
                  {{"slots", std::to_string(*bound)}, {"instead_of", std::to_string(slots_)}});
        slots_ = *bound;
    }

    // Also with a number of sessions: whoever measures later has to know.
    void be_seen() {
        if (auto entered = bench::MachinePresence::enter())
            presence_.emplace(std::move(*entered));
        if (config_.slots_auto && presence_ && !presence_->alone())
            log::warn("bench", "another transcoder of this machine promises its sessions as well",
                      {{"slots", std::to_string(slots_)},
                       {"remedy", "--max-sessions N for each, together what one measures alone"}});
    }

    int read_tokens() {
        for (const config::Secret& text : config_.join_tokens) {
            auto token = net::parse_join_token(text.reveal());
            if (!token)
                return fail(config::kExitRefused,
                            "join refused: malformed: --join-token: " + token.error().message);
            tokens_.push_back(std::move(*token));
        }
        return config::kExitDone;
    }

    int take_gpus() {
        if (config_.gpus.none())
            return config::kExitDone;
        auto stock = gpu::take_stock(config_.gpus);
        if (!stock)
            return fail(config::kExitDevice,
                        "--nvidia " + config_.gpus.text() + ": " + stock.error().message);
        stock_ = std::move(*stock);
        for (const gpu::GpuRecord& record : stock_)
            if (record.state == gpu::GpuState::ready)
                log::info("gpu", "works for sessions",
                          {{"gpu", gpu::in_words(record.gpu)},
                           {"stages", gpu::stages_in_words(record)},
                           {"sessions_max", record.gpu.sessions_max
                                                ? std::to_string(*record.gpu.sessions_max)
                                                : "no limit"}});
            else
                log::warn("gpu", "cannot be used",
                          {{"gpu", gpu::in_words(record.gpu)}, {"reason", record.reason}});
        return config::kExitDone;
    }

    Result<void> open_data_dir() {
        auto opened = DataDir::open(config_.data_dir);
        if (!opened)
            return opened.error();
        data_dir_.emplace(std::move(*opened));
        auto key = data_dir_->key_pair();
        if (!key)
            return key.error();
        key_ = std::move(*key);
        auto signer = data_dir_->signer();
        if (!signer)
            return signer.error();
        signer_.emplace(std::move(*signer));
        auto token = data_dir_->admin_token();
        if (!token)
            return token.error();
        admin_token_ = std::move(*token);
        auto known = data_dir_->orchestrators();
        if (!known)
            return known.error();
        known_ = std::move(*known);
        return {};
    }

    [[nodiscard]] ServiceOptions options() const {
        ServiceOptions options;
        options.core = core_config();
        for (std::size_t i = 0; i < config_.orchestrators.size(); ++i)
            options.credentials.push_back(credentials_for(i));
        options.limits = config_.limits;
        options.gpus = stock_;
        options.software = receipt_text("millrace " + options.core.version + ", ffmpeg " +
                                        media::ffmpeg_version());
        for (const Device& device : options.core.devices)
            options.device +=
                (options.device.empty() ? "" : "; ") + device.kind + " " + device.name;
        options.device = receipt_text(options.device);
        return options;
    }

    [[nodiscard]] CoreConfig core_config() const {
        CoreConfig core;
        core.name = config_.name;
        core.version = std::string(config::version());
        core.key = TranscoderKey{key_.public_key.z85()};
        core.incarnation = Incarnation{net::random_u64()};
        core.slots = slots_;
        core.capacity = capacity_;
        core.cores = std::max(1U, static_cast<std::uint32_t>(config::cpu_budget()));
        core.capabilities = media::capabilities();
        core.devices = {{"cpu", processor_name(), slots_}};
        for (const gpu::GpuRecord& record : stock_) {
            if (record.state != gpu::GpuState::ready)
                continue;
            const std::uint32_t most = std::min(record.gpu.sessions_max.value_or(slots_), slots_);
            core.devices.push_back({"cuda", record.gpu.name, most});
            core.gpus.push_back({record.gpu.sessions_max});
        }
        core.labels = config_.labels;
        core.signer = signer_->key();
        core.seed = net::random_u64();
        core.exit_if_unreachable = config_.exit_if_unreachable;
        core.drain_timeout = config_.drain_timeout;
        for (const config::HostPort& address : config_.orchestrators)
            core.orchestrators.push_back({config::to_string(address), false, false, ""});
        return core;
    }

    // Tokens name orchestrators by key, not by address. As many tokens as addresses: the one at the
    // same place first. Whatever the order, a token for somebody else is found out and the next is
    // tried.
    [[nodiscard]] Credentials credentials_for(std::size_t index) const {
        std::vector<net::JoinToken> tokens = tokens_;
        if (tokens.size() == config_.orchestrators.size() && !tokens.empty())
            std::rotate(tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(index),
                        tokens.end());
        return {known_key(index), std::move(tokens)};
    }

    // By address; else, with a single orchestrator, by what its token says: it may have moved.
    [[nodiscard]] std::optional<net::PublicKey> known_key(std::size_t index) const {
        const auto at = known_.find(config::to_string(config_.orchestrators[index]));
        if (at != known_.end())
            return at->second.key;
        if (config_.orchestrators.size() != 1 || tokens_.size() != 1)
            return std::nullopt;
        for (const auto& [address, known] : known_)
            if (known.key == tokens_.front().orchestrator)
                return known.key;
        return std::nullopt;
    }

    void leave(int code, const std::string& message) {
        exit_code_ = code;
        if (code == config::kExitDone)
            log::info("main", "leaving", {{"reason", message}});
        else
            fail(code, message);
        loop_.stop();
    }

    const config::TranscoderConfig& config_;
    const ServiceManager manager_;
    net::Context context_;
    std::shared_ptr<BlockPool> pool_ = std::make_shared<BlockPool>();
    Loop loop_;
    std::vector<net::JoinToken> tokens_;
    std::optional<DataDir> data_dir_;
    std::uint32_t slots_ = config_.slots;
    Capacity capacity_;  // nothing: not measured
    std::optional<bench::MachinePresence> presence_;
    bool stopped_ = false;
    net::KeyPair key_;
    std::optional<net::Signer> signer_;
    net::Secret<std::string> admin_token_;
    std::map<std::string, KnownOrchestrator> known_;
    std::optional<TaskMetrics> metrics_;
    std::optional<Service> service_;
    gpu::Stock stock_;
    gpu::Watch gpus_{gpu::Nvml::open()};
    std::unique_ptr<Admin> admin_;
    int exit_code_ = config::kExitDone;
};

}  // namespace

int run(const config::TranscoderConfig& config) {
    return Transcoder(config).run();
}

}  // namespace millrace::transcoder
