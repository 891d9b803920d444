#include "orchestrator/stake/ethereum_source.h"

#include <algorithm>

#include "common/http/client.h"
#include "orchestrator/stake/json_rpc.h"

namespace millrace::orchestrator::stake {
namespace {

constexpr Duration kAnswerTime = std::chrono::seconds(5);
constexpr std::size_t kAnswerBytesMax = 256 * 1024;
constexpr std::uint64_t kLagMax = 64;  // blocks behind the others; nodes keep the state of 128
// The whole supply is some 4 * 10^7 LPT; a node that claims more than this lies.
constexpr Lpt::Units kStakeMax = Lpt::Units{1'000'000'000} * 1'000'000'000'000'000'000U;

Error wrong(std::string what) {
    return error(ErrorKind::bad_input, std::move(what));
}

// One node, asked step by step; every error names its host.
class Node {
public:
    Node(std::string url, const RpcPost& post) : url_(std::move(url)), post_(&post) {}

    [[nodiscard]] Result<void> look();
    [[nodiscard]] Result<StakeReading> read(const EthereumOptions& options,
                                            std::uint64_t block) const;

    [[nodiscard]] std::uint64_t chain() const { return chain_; }
    [[nodiscard]] std::uint64_t head() const { return head_; }
    [[nodiscard]] Error named(const Error& problem) const {
        return error(problem.kind, host_of(url_) + ": " + problem.message);
    }

private:
    using Contracts = std::pair<Address, Address>;

    [[nodiscard]] Result<std::vector<std::string>> ask(std::span<const RpcCall> calls) const;
    [[nodiscard]] Result<std::vector<Word>> ask_words(std::span<const RpcCall> calls) const;
    [[nodiscard]] Result<Contracts> contracts(const EthereumOptions& options,
                                              const std::string& block) const;

    std::string url_;
    const RpcPost* post_;
    std::uint64_t chain_ = 0;
    std::uint64_t head_ = 0;
};

Result<std::vector<std::string>> Node::ask(std::span<const RpcCall> calls) const {
    const auto answer = (*post_)(url_, batch_text(calls));
    if (!answer)
        return answer.error();
    return batch_results(*answer, calls);
}

// Functions with one static result each.
Result<std::vector<Word>> Node::ask_words(std::span<const RpcCall> calls) const {
    const auto results = ask(calls);
    if (!results)
        return results.error();
    std::vector<Word> found;
    for (const std::string& result : *results) {
        const auto word = words(result, 1);
        if (!word)
            return word.error();
        found.push_back(word->front());
    }
    return found;
}

Result<void> Node::look() {
    const std::vector<RpcCall> calls{{"eth_chainId"}, {"eth_blockNumber"}};
    const auto results = ask(calls);
    if (!results)
        return results.error();
    const auto chain = quantity((*results)[0]);
    const auto head = quantity((*results)[1]);
    if (!chain || !head)
        return (chain ? head : chain).error();
    chain_ = *chain;
    head_ = *head;
    return {};
}

Result<Node::Contracts> Node::contracts(const EthereumOptions& options,
                                        const std::string& block) const {
    // Controller.getContract takes the keccak-256 of the contract's name.
    const auto lookup = [&](std::string_view contract) {
        const Word id = keccak256(contract);
        return view_call(options.controller, "getContract(bytes32)", {{id}}, block);
    };
    const std::vector<RpcCall> calls{lookup("BondingManager"), lookup("RoundsManager")};
    const auto found = ask_words(calls);
    if (!found)
        return found.error();
    const auto bonding = as_address((*found)[0]);
    const auto rounds = as_address((*found)[1]);
    if (!bonding || !rounds)
        return (bonding ? rounds : bonding).error();
    if (bonding->zero() || rounds->zero())
        return wrong("the contract at --eth-controller knows no BondingManager or RoundsManager");
    return Contracts{*bonding, *rounds};
}

Result<StakeReading> Node::read(const EthereumOptions& options, std::uint64_t number) const {
    const std::string block = as_quantity(number);
    const auto places = contracts(options, block);
    if (!places)
        return places.error();
    const auto& [bonding, rounds] = *places;
    const Word who = as_word(options.orchestrator);
    const std::vector<RpcCall> calls{
        view_call(bonding, "isRegisteredTranscoder(address)", {{who}}, block),
        view_call(bonding, "isActiveTranscoder(address)", {{who}}, block),
        view_call(bonding, "transcoderTotalStake(address)", {{who}}, block),
        view_call(rounds, "currentRound()", {}, block)};
    const auto found = ask_words(calls);
    if (!found)
        return found.error();
    const auto registered = as_bool((*found)[0]);
    const auto active = as_bool((*found)[1]);
    if (!registered || !active)
        return (registered ? active : registered).error();
    const auto stake = as_lpt((*found)[2]);
    if (!stake || stake->units() > kStakeMax)
        return wrong("the stake it claims is absurdly large");
    const auto round = as_u64((*found)[3]);
    if (!round)
        return round.error();
    return StakeReading{*stake, *registered && *active, *round};
}

std::string listed(const std::vector<Error>& problems) {
    std::string text;
    for (const Error& problem : problems)
        text += (text.empty() ? "" : "; ") + problem.message;
    return text;
}

// Those that are up, on the right chain and not far behind the others.
std::vector<Node> usable(const EthereumOptions& options, const RpcPost& post,
                         std::vector<Error>& problems) {
    std::vector<Node> nodes;
    for (const std::string& url : options.urls) {
        Node node(url, post);
        if (const auto looked = node.look(); !looked)
            problems.push_back(node.named(looked.error()));
        else if (options.chain && node.chain() != *options.chain)
            problems.push_back(node.named(wrong("is on chain " + std::to_string(node.chain()) +
                                                ", expected " + std::to_string(*options.chain))));
        else
            nodes.push_back(std::move(node));
    }
    std::ranges::sort(nodes, {}, &Node::head);
    if (nodes.empty())
        return nodes;
    const std::uint64_t middle = nodes[nodes.size() / 2].head();
    std::erase_if(nodes, [&](const Node& node) {
        const bool lags = node.head() + kLagMax < middle;
        if (lags)
            problems.push_back(node.named(wrong("lags " + std::to_string(middle - node.head()) +
                                                " blocks behind the others")));
        return lags;
    });
    return nodes;
}

Result<StakeReading> agreed(const std::vector<StakeReading>& readings) {
    for (const StakeReading& reading : readings)
        if (2 * static_cast<std::size_t>(std::ranges::count(readings, reading)) > readings.size())
            return reading;
    return wrong("the nodes contradict each other about the stake");
}

Result<std::string> post_over_http(const std::string& url, std::string body, std::stop_token stop) {
    http::ClientRequest request;
    request.method = "POST";
    request.url = url;
    request.headers.set("Content-Type", "application/json");
    request.body = std::move(body);
    request.timeout = kAnswerTime;
    request.answer_bytes_max = kAnswerBytesMax;
    request.cancelled = std::move(stop);
    const auto answer = http::fetch(request);
    if (!answer)
        return answer.error();
    // Nodes send JSON-RPC errors with 4xx as well; what is not JSON is refused later.
    if (answer->status >= 500)
        return wrong("answers with status " + std::to_string(answer->status));
    return answer->body;
}

}  // namespace

std::string host_of(std::string_view url) {
    if (const auto scheme = url.find("://"); scheme != std::string_view::npos)
        url.remove_prefix(scheme + 3);
    url = url.substr(0, url.find_first_of("/?#"));
    if (const auto user = url.rfind('@'); user != std::string_view::npos)
        url.remove_prefix(user + 1);
    return std::string(url);
}

EthereumSource::EthereumSource(EthereumOptions options, RpcPost post)
    : options_(std::move(options)), post_(std::move(post)) {
    if (!post_)
        post_ = [stop = stop_.get_token()](const std::string& url, std::string body) {
            return post_over_http(url, std::move(body), stop);
        };
}

Result<StakeReading> EthereumSource::read() {
    std::vector<Error> problems;
    const std::vector<Node> nodes = usable(options_, post_, problems);
    if (nodes.empty())
        return error(ErrorKind::disconnected, "no node can be asked: " + listed(problems));
    if (!std::ranges::all_of(
            nodes, [&](const Node& node) { return node.chain() == nodes.front().chain(); }))
        return wrong("the nodes of --eth-url are on different chains");
    std::vector<StakeReading> readings;
    for (const Node& node : nodes) {
        auto reading = node.read(options_, nodes.front().head());  // the lowest head
        if (reading)
            readings.push_back(*reading);
        else
            problems.push_back(node.named(reading.error()));
    }
    if (readings.empty())
        return wrong("no node tells the stake: " + listed(problems));
    return agreed(readings);
}

}  // namespace millrace::orchestrator::stake
