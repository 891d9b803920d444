#pragma once
// Stake as Livepeer's contracts tell it, asked of one or several nodes over JSON-RPC.
//
// How a reading is made
// 1. Every node is asked for its chain and its head. A node that does not answer, is on another chain or
//    lags far behind counts as down: the others do its work.
// 2. All questions are about one block that every remaining node has, so that honest answers are equal.
// 3. The Controller says where BondingManager and RoundsManager are (they are replaced at upgrades).
// 4. More than half of the nodes that answered must say the same; otherwise nothing is known. One node
//    alone is believed.
// Answers that are malformed, too long, of another chain or absurd are errors, never values.
//
// Contract functions: livepeer/protocol, BondingManager.sol and RoundsManager.sol.
//
// Thread: see StakeSource.

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "orchestrator/stake/abi.h"
#include "orchestrator/stake/stake_source.h"

namespace millrace::orchestrator::stake {

// Livepeer's Controller on Arbitrum One, and that chain's id (EIP-155).
inline constexpr std::string_view kArbitrumController =
    "0xD8E8328501E9645d16Cf49539efC04f734606ee4";
inline constexpr std::uint64_t kArbitrumChain = 42161;
inline constexpr std::size_t kNodesMax = 8;

struct EthereumOptions {
    std::vector<std::string> urls;  // 1..kNodesMax; may hold keys, so only hosts are ever named
    Address controller;
    Address orchestrator;                // whose stake is read
    std::optional<std::uint64_t> chain;  // nothing = whatever the nodes agree on
    Duration interval = std::chrono::seconds(30);
};

// Sends a JSON body to a node and returns the answer's body. Tests put a fake here.
using RpcPost = std::function<Result<std::string>(const std::string& url, std::string body)>;

class EthereumSource final : public StakeSource {
public:
    // Without `post`: HTTP, at most 5 s and 256 KiB an answer.
    explicit EthereumSource(EthereumOptions options, RpcPost post = nullptr);

    [[nodiscard]] std::string name() const override { return "ethereum"; }
    [[nodiscard]] std::string subject() const override {
        return "ethereum:" + options_.controller.text() + "/" + options_.orchestrator.text();
    }
    [[nodiscard]] Duration interval() const override { return options_.interval; }
    [[nodiscard]] Result<StakeReading> read() override;
    void stop() override { stop_.request_stop(); }

private:
    EthereumOptions options_;
    std::stop_source stop_;
    RpcPost post_;
};

// "node.example" of "https://user:key@node.example/v3/key": what may stand in a log.
[[nodiscard]] std::string host_of(std::string_view url);

}  // namespace millrace::orchestrator::stake
