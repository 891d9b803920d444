#include "orchestrator/stake/make_source.h"

#include "orchestrator/stake/ethereum_source.h"
#include "orchestrator/stake/file_source.h"

namespace millrace::orchestrator::stake {
namespace {

using Made = Result<std::unique_ptr<StakeSource>>;

Made make_ethereum(const config::StakeConfig& config) {
    const bool default_controller = config.eth_controller.empty();
    const auto controller = Address::parse(
        default_controller ? kArbitrumController : std::string_view(config.eth_controller));
    if (!controller)
        return error(ErrorKind::bad_input, "--eth-controller: " + controller.error().message);
    const auto orchestrator = Address::parse(config.eth_orch_addr);
    if (!orchestrator)
        return error(ErrorKind::bad_input, "--eth-orch-addr: " + orchestrator.error().message);
    EthereumOptions options;
    options.urls = config.eth_urls;
    options.controller = *controller;
    options.orchestrator = *orchestrator;
    options.interval = config.interval;
    // Any other Controller may live anywhere; this one lives on one chain.
    if (controller->text() == kArbitrumController)
        options.chain = kArbitrumChain;
    return Made(std::make_unique<EthereumSource>(std::move(options)));
}

}  // namespace

Made make_source(const config::StakeConfig& config) {
    switch (config.kind) {
        case config::StakeKind::none:
            return Made(nullptr);
        case config::StakeKind::file:
            return Made(std::make_unique<FileSource>(config.path));
        case config::StakeKind::ethereum:
            return make_ethereum(config);
    }
    return Made(nullptr);
}

}  // namespace millrace::orchestrator::stake
