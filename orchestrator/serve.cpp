#include "orchestrator/serve.h"

#include <csignal>
#include <cstdio>
#include <cstring>
#include <optional>

#include <fmt/format.h>
#include <unistd.h>

#include "common/config/exit_code.h"
#include "common/config/version.h"
#include "common/domain/supported.h"
#include "common/net/context.h"
#include "common/net/endpoint.h"
#include "common/net/keys.h"
#include "common/net/signing.h"
#include "common/net/zap.h"
#include "common/runtime/log.h"
#include "common/runtime/loop.h"
#include "common/runtime/service_manager.h"
#include "common/runtime/wall_clock.h"
#include "orchestrator/access/accounts.h"
#include "orchestrator/access/token_keeper.h"
#include "orchestrator/admin/admin_server.h"
#include "orchestrator/endpoints_file.h"
#include "orchestrator/front/front.h"
#include "orchestrator/journal/journal.h"
#include "orchestrator/link/enrolment.h"
#include "orchestrator/link/transcoder_link.h"
#include "orchestrator/local_transcoder.h"
#include "orchestrator/metrics_view.h"
#include "orchestrator/service.h"
#include "orchestrator/stake/make_source.h"
#include "orchestrator/stake/stake_keeper.h"
#include "orchestrator/store/store.h"

namespace millrace::orchestrator {
namespace {

constexpr Duration kDoorkeeperCheckEvery = std::chrono::seconds(1);
constexpr int kDoorkeeperChecksMax = 5;
// What was accepted is answered by its deadline; a little for the answers to leave.
constexpr Duration kShutdownMax = std::chrono::seconds(32);
// Results that cannot be recorded are not worth more.
constexpr Duration kStorageFailedMax = std::chrono::seconds(1);
constexpr Duration kFrontDrainMax = std::chrono::seconds(2);
constexpr int kExitDoorkeeperDead = 70;
constexpr Duration kTokenKeysEvery = std::chrono::minutes(1);

int fail(int code, const std::string& message) {
    std::fprintf(stderr, "orchestrator: %s\n", message.c_str());
    return code;
}

AuthMode auth_mode(config::AuthKind kind) {
    if (kind == config::AuthKind::webhook)
        return AuthMode::webhook;
    return kind == config::AuthKind::accounts ? AuthMode::accounts : AuthMode::none;
}

PlaybackAccess playback_access(config::PlaybackMode mode) {
    if (mode == config::PlaybackMode::off)
        return PlaybackAccess::nobody;
    return mode == config::PlaybackMode::token ? PlaybackAccess::token : PlaybackAccess::everybody;
}

// Everything `serve` consists of, built in this order and taken down in reverse.
class Orchestrator {
public:
    explicit Orchestrator(const config::OrchestratorConfig& config) : config_(config) {}

    int run() {
        if (const int code = build(); code != config::kExitDone)
            return code;
        watch_signals();
        watch_doorkeeper();
        log::info("main", "serving",
                  {{"service", front_->local_endpoint()},
                   {"link", link_->control_endpoint()},
                   {"admin", admin_->endpoint()},
                   {"epoch", std::to_string(restored_.epoch.value)}});
        manager_.serving("serving at " + front_->local_endpoint());
        loop_.run();
        log::info("main", "stopped");
        return exit_code_;
    }

private:
    int build() {
        if (const auto problems = unsupported_fields(config_.ladder); !problems.empty())
            return fail(config::kExitConfig,
                        "--ladder: " + problems.front().path + ": " + problems.front().detail);
        if (const int code = open_store(); code != config::kExitDone)
            return code;
        if (const int code = open_link(); code != config::kExitDone)
            return code;
        if (const int code = open_front(); code != config::kExitDone)
            return code;
        if (const int code = open_stake(); code != config::kExitDone)
            return code;
        if (const int code = open_admin(); code != config::kExitDone)
            return code;
        if (auto written = write_endpoints(config_.data_dir,
                                           {front_->local_endpoint(), link_->control_endpoint(),
                                            link_->payload_endpoint(), admin_->endpoint()});
            !written)
            return fail(config::kExitConfig, written.error().message);
        start_workers();
        return config::kExitDone;
    }

    int open_store() {
        auto opened = store::open_sqlite(
            config_.data_dir, [this](std::function<void()> task) { loop_.post(std::move(task)); });
        if (!opened)
            return fail(config::kExitConfig, opened.error().message);
        store_ = std::move(opened->store);
        restored_ = std::move(opened->restored);
        const auto key = net::public_key_from_z85(restored_.identity.curve_secret_z85);
        if (!key)
            return fail(config::kExitConfig, "--data-dir: the stored key is malformed");
        key_ = net::key_pair_of(net::SecretKey(key->bytes));
        return config::kExitDone;
    }

    int open_link() {
        auto doorkeeper = net::ZapHandler::start(context_);
        if (!doorkeeper)
            return fail(config::kExitConfig, doorkeeper.error().message);
        doorkeeper_ = std::move(doorkeeper).value();
        // The list is loaded before the lanes are bound: nobody is told "later" who could be told yes.
        enrolment_.emplace(*store_, *doorkeeper_, key_.public_key);
        enrolment_->restore(restored_.tokens, restored_.enrolments);
        link_.emplace(TranscoderLink::Parts{loop_, context_, *doorkeeper_, pool_}, restored_.epoch);
        const LinkOptions options{config::to_string(config_.link_addr),
                                  config::to_string(config_.payload_addr),
                                  fd_of(config_.handed.link), fd_of(config_.handed.payload)};
        if (auto bound = link_->open(options, key_); !bound)
            return fail(config::kExitConfig, bound.error().message);
        return config::kExitDone;
    }

    int open_front() {
        CoreConfig core;
        core.operator_limit = config_.max_sessions;
        core.default_ladder = config_.ladder;
        core.epoch = restored_.epoch;
        core.own_key = {key_.public_key.z85()};
        core.signature_holds = net::signature_holds;
        core.payload_endpoint = payload_endpoint();
        core.keep_bytes = config_.keep_bytes;
        core.cut_through = config_.cut_through;
        core.upload_max = config_.limits.body_time;
        core.accounts_only = config_.auth.kind == config::AuthKind::accounts;
        metrics_.emplace(std::string(config::version()), core.payload_budget,
                         config_.livepeer_metrics);

        playback_.emplace(PlaybackConfig{config_.playback != config::PlaybackMode::off,
                                         config_.playlist_segments, config_.keep_bytes});
        service_.emplace(Service::Parts{loop_, *store_, *enrolment_, *metrics_, *playback_,
                                        *streams_, *link_, journal_},
                         core);
        link_->attach(*service_);
        open_access();
        resume_playlists();
        service_->restore(restored_.sessions, enrolled_transcoders());
        store_->on_available([this](bool available) {
            service_->store_available(available);
            if (store_->failed())
                storage_failed();
        });
        service_->store_available(store_->available());

        FrontConfig front = front_config();
        front.init_memory = init_memory();
        for (const store::InitRow& row : restored_.init_parts)
            front.init_parts.push_back({row.account, row.stream, row.bytes,
                                        std::chrono::milliseconds(std::max<std::int64_t>(
                                            0, wall_now().ms - row.used_at.ms))});
        if (const auto wrong =
                front.server.tls ? http::check_tls_files(*front.server.tls) : std::nullopt)
            return fail(
                config::kExitConfig,
                (wrong->where == http::TlsProblem::Where::key ? "--tls-key: " : "--tls-cert: ") +
                    wrong->detail);
        auto started = Front::start(std::move(front), *service_, *playback_, pool_);
        if (!started)
            return fail(config::kExitConfig, "--service-addr: " + started.error().message);
        front_ = std::move(started).value();
        return config::kExitDone;
    }

    void open_access() {
        accounts_.emplace(
            *store_, account_book_,
            AccountEvents{[this](const AccountId& account, const AccountLimits& limits) {
                              service_->set_account(account, limits);
                          },
                          [this](const AccountId& account) { service_->remove_account(account); }});
        accounts_->restore(restored_.accounts);
        tokens_ = std::make_shared<TokenRing>(token_keys(restored_.identity.token_keys));
        token_keeper_.emplace(*store_, tokens_, restored_.identity.token_keys, wall_now);
        watch_token_keys();
    }

    void watch_token_keys() {
        token_timer_.set(loop_.now() + kTokenKeysEvery, [this] {
            token_keeper_->forget_expired();
            watch_token_keys();
        });
    }

    // Restored sessions come with the latest first; playlists want it last.
    void resume_playlists() {
        const auto& sessions = restored_.sessions;
        for (auto one = sessions.rbegin(); one != sessions.rend(); ++one)
            playback_->resume(one->stream, {one->id, one->stream_segments, one->committed},
                              one->ended);
        tick_playback();
    }

    void tick_playback() {
        playback_timer_.set(loop_.now() + kPlaybackTick, [this] { tick_playback(); });
        playback_->tick();
    }

    [[nodiscard]] std::vector<RestoredTranscoder> enrolled_transcoders() const {
        std::vector<RestoredTranscoder> transcoders;
        for (const store::EnrolmentRow& row : restored_.enrolments)
            if (!row.revoked)
                transcoders.push_back({row.key, row.name, row.signer, row.cordoned});
        return transcoders;
    }

    [[nodiscard]] static int fd_of(const std::optional<config::HandedSocket>& handed) {
        return handed ? handed->fd : -1;
    }

    [[nodiscard]] FrontConfig front_config() const {
        FrontConfig front;
        front.server.address = config::to_string(config_.service_addr);
        front.server.limits.header_bytes = config_.limits.header_bytes;
        front.server.limits.header_time = config_.limits.header_time;
        front.server.limits.connections = config_.limits.connections;
        front.server.limits.connections_per_address = config_.limits.connections_per_address;
        front.server.limits.body_pause = config_.limits.body_pause;
        front.server.limits.body_time = config_.limits.body_time;
        front.server.listen_fd = fd_of(config_.handed.service);
        if (!config_.tls_cert.empty())
            front.server.tls = http::TlsFiles{config_.tls_cert, config_.tls_key};
        front.server.warn = [](const std::string& text) { log::warn("http", text); };
        front.public_url = config_.public_url;
        front.body_bytes_max = config_.limits.body_bytes;
        front.renditions_max = config_.limits.renditions;
        front.auth = auth_mode(config_.auth.kind);
        front.hook.url = config_.auth.webhook_url.reveal();
        front.hook.ca_file = config_.webhook_ca;
        front.accounts = account_book_;
        front.tokens = tokens_;
        front.streams = streams_;
        front.playback = playback_access(config_.playback);
        return front;
    }

    // HTTP threads call it, the store wants the loop's.
    [[nodiscard]] InitMemory init_memory() {
        return {[this](const AccountId& account, const StreamName& stream, InitPart bytes,
                       InitMemory::Saved saved) {
                    loop_.post([this,
                                row = store::InitRow{account, stream, std::move(bytes), wall_now()},
                                saved = std::move(saved)]() mutable {
                        store_->save_init(std::move(row),
                                          [saved = std::move(saved)](const Result<void>& written) {
                                              saved(static_cast<bool>(written));
                                          });
                    });
                },
                [this](const AccountId& account, const StreamName& stream) {
                    loop_.post(
                        [this, account, stream] { store_->forget_init(account, stream, nullptr); });
                }};
    }

    int open_stake() {
        auto source = stake::make_source(config_.stake);
        if (!source)
            return fail(config::kExitConfig, source.error().message);
        if (*source)
            stake_.emplace(
                loop_, *std::move(source),
                StakeRules{config_.stake.per_session, config_.stake.grace},
                [this](const StakeLimit& limit) {
                    service_->set_stake(limit.sessions, limit.active);
                },
                stake::StakeMemory{restored_.stake, [this](const KeptStake& stake) {
                                       store_->save_stake(stake, nullptr);
                                   }});
        return config::kExitDone;
    }

    int open_admin() {
        auto started = admin::AdminServer::start(
            {loop_, *service_, *enrolment_, *accounts_, *token_keeper_, *metrics_, *store_, *link_,
             journal_, [this] { return stake_ ? stake_->view() : stake::StakeView{}; }},
            {config::to_string(config_.admin_addr), restored_.identity.admin_token,
             config_.data_dir, std::string(config::version()), restored_.epoch, loop_.now()});
        if (!started)
            return fail(config::kExitConfig, "--admin-addr: " + started.error().message);
        admin_ = std::move(started).value();
        return config::kExitDone;
    }

    // What Welcome says: the port alone when the host is the control lane's.
    [[nodiscard]] std::string payload_endpoint() const {
        const auto bound = net::parse_endpoint(link_->payload_endpoint());
        const auto port = bound ? bound->port : 0;
        return config_.payload_addr.host == config_.link_addr.host ? fmt::format(":{}", port)
                                                                   : link_->payload_endpoint();
    }

    // The control lane as workers reach it.
    [[nodiscard]] std::string link_for_workers() const {
        const auto bound = net::parse_endpoint(link_->control_endpoint());
        if (config_.link_public.empty() || !bound)
            return link_->control_endpoint();
        return config::to_string({config_.link_public, bound->port});
    }

    void start_workers() {
        if (::isatty(STDOUT_FILENO) != 0)
            enrolment_->create_token(std::chrono::hours(24), false,
                                     [this](const Result<NewJoinToken>& made) {
                                         if (made)
                                             print_join_line(made->token);
                                     });
        if (config_.local_transcoder > 0)
            enrolment_->create_token(std::chrono::hours(1), true,
                                     [this](const Result<NewJoinToken>& made) {
                                         if (made)
                                             start_local_transcoder(made->token);
                                         else
                                             log::error("local", made.error().message);
                                     });
    }

    void print_join_line(const std::string& token) const {
        std::printf(
            "Paste on a worker%s:\n  transcoder --orch-addr %s --join-token %s --max-sessions "
            "auto\n",
            config::is_loopback(config_.link_addr.host)
                ? " on this machine (the link listens on loopback only: see --link-addr)"
                : "",
            link_for_workers().c_str(), token.c_str());
        std::fflush(stdout);
    }

    void start_local_transcoder(const std::string& token) {
        LocalTranscoderOptions options;
        options.slots = config_.local_transcoder;
        options.data_dir = config_.data_dir + "/local";
        options.control_endpoint = link_->control_endpoint();
        options.join_token = token;
        options.log = config_.log;
        local_.emplace(loop_, std::move(options));
        if (auto started = local_->start(); !started) {
            log::error("local", started.error().message);
            stop(config::kExitConfig);
        }
    }

    // ---- the end ----
    void watch_signals() {
        std::signal(SIGPIPE, SIG_IGN);
        loop_.on_signal({SIGTERM, SIGINT}, [this](int) {
            if (stopping_)
                return stop(exit_code_);
            begin_stop();
        });
    }

    void begin_stop() {
        stopping_ = true;
        manager_.stopping();
        log::info("main", "stopping: no new work, what was accepted is carried through");
        service_->begin_shutdown([this] { finish_stop(); });
        stop_timer_.set(loop_.now() + kShutdownMax, [this] { finish_stop(); });
    }

    // What the disk holds is read anew by the next process (no second fsync tells the truth after a failed
    // one): no new work, those who wait hear that the storage failed, and an exit that a supervisor restarts.
    void storage_failed() {
        exit_code_ = config::kExitStorage;
        if (!stopping_)
            begin_stop();
        stop_timer_.set(loop_.now() + kStorageFailedMax, [this] { finish_stop(); });
    }

    // Nothing is in flight any more: the answers leave, then everything stops.
    void finish_stop() {
        if (local_)
            local_->stop();
        front_->begin_drain();
        if (!front_->wait_drained(kFrontDrainMax))
            log::warn("main", "some answers did not leave in time");
        stop(exit_code_);
    }

    void stop(int code) {
        exit_code_ = code;
        loop_.stop();
    }

    // Without a doorkeeper nobody new could join, and libzmq would not say so: better to be started again.
    void watch_doorkeeper() {
        doorkeeper_timer_.set(loop_.now() + kDoorkeeperCheckEvery, [this] { watch_doorkeeper(); });
        const std::uint64_t progress = doorkeeper_->progress();
        doorkeeper_stuck_ = progress == doorkeeper_progress_ ? doorkeeper_stuck_ + 1 : 0;
        doorkeeper_progress_ = progress;
        if (doorkeeper_stuck_ >= kDoorkeeperChecksMax) {
            log::error("main", "the ZAP handler stopped answering");
            stop(kExitDoorkeeperDead);
        }
    }

    const config::OrchestratorConfig& config_;
    const ServiceManager manager_;
    net::Context context_;
    Loop loop_;
    std::shared_ptr<BlockPool> pool_ = std::make_shared<BlockPool>();
    net::KeyPair key_;
    store::Restored restored_;
    std::unique_ptr<store::Store> store_;
    std::unique_ptr<net::ZapHandler> doorkeeper_;
    std::optional<Enrolment> enrolment_;
    std::optional<TranscoderLink> link_;
    std::optional<MetricsView> metrics_;
    Journal journal_;
    std::optional<Playback> playback_;
    std::shared_ptr<LiveStreams> streams_ = std::make_shared<LiveStreams>();
    std::optional<Service> service_;
    std::optional<stake::StakeKeeper> stake_;
    std::shared_ptr<AccountBook> account_book_ = std::make_shared<AccountBook>();
    std::optional<Accounts> accounts_;
    std::shared_ptr<TokenRing> tokens_;
    std::optional<TokenKeeper> token_keeper_;
    std::unique_ptr<Front> front_;
    std::unique_ptr<admin::AdminServer> admin_;
    std::optional<LocalTranscoder> local_;
    Timer stop_timer_{loop_};
    Timer doorkeeper_timer_{loop_};
    Timer token_timer_{loop_};
    Timer playback_timer_{loop_};
    std::uint64_t doorkeeper_progress_ = 0;
    int doorkeeper_stuck_ = 0;
    bool stopping_ = false;
    int exit_code_ = config::kExitDone;
};

}  // namespace

int serve(const config::OrchestratorConfig& config) {
    return Orchestrator(config).run();
}

}  // namespace millrace::orchestrator
