// The Ethereum source against nodes that are made up: honest, slow to follow, broken, lying.

#include <map>

#include <nlohmann/json.hpp>

#include "common/base/hex.h"
#include "orchestrator/stake/ethereum_source.h"
#include "tests/support/catch.h"

using namespace millrace;
using namespace millrace::orchestrator;
using namespace millrace::orchestrator::stake;
using nlohmann::json;

namespace {

const Address kController = *Address::parse(kArbitrumController);
const Address kBonding = *Address::parse("0x00000000000000000000000000000000000000b0");
const Address kRounds = *Address::parse("0x00000000000000000000000000000000000000c0");
const Address kUs = *Address::parse("0x00000000000000000000000000000000000000a1");

std::string hex_word(Lpt::Units value) {
    Word word{};
    for (std::size_t i = 0; i < 16; ++i, value >>= 8)
        word[31 - i] = static_cast<std::uint8_t>(value);
    return "0x" + to_hex(word);
}

struct FakeNode {
    std::uint64_t chain = kArbitrumChain;
    std::uint64_t head = 1000;
    std::string tokens = "1500.25";
    bool active = true;
    bool registered = true;
    bool down = false;
    Address controller = kController;
    std::string stake_answer{};         // instead of a well-formed one
    std::string whole_answer{};         // instead of the batch
    std::vector<std::string> blocks{};  // asked about

    std::string call(const json& parameters) {
        const Address to = *Address::parse(parameters[0]["to"].get<std::string>());
        const std::string data = parameters[0]["data"];
        blocks.push_back(parameters[1]);
        const auto is = [&](std::string_view signature) {
            return data.starts_with(call_data(signature, {}));
        };
        if (to == controller && is("getContract(bytes32)"))
            return "0x" +
                   to_hex(as_word(data.ends_with(to_hex(keccak256("BondingManager"))) ? kBonding
                                                                                      : kRounds));
        if (to == controller)
            return hex_word(0);
        if (to == kRounds && is("currentRound()"))
            return hex_word(3500);
        const bool ours = data.ends_with(to_hex(as_word(kUs)));
        if (to == kBonding && is("transcoderTotalStake(address)"))
            return stake_answer.empty() ? hex_word(ours ? Lpt::parse(tokens)->units() : 0)
                                        : stake_answer;
        if (to == kBonding && is("isActiveTranscoder(address)"))
            return hex_word(ours && active);
        if (to == kBonding && is("isRegisteredTranscoder(address)"))
            return hex_word(ours && registered);
        return "0x";
    }

    std::string answer(const std::string& body) {
        if (!whole_answer.empty())
            return whole_answer;
        json answers = json::array();
        for (const json& request : json::parse(body)) {
            json result = request["method"] == "eth_chainId"       ? as_quantity(chain)
                          : request["method"] == "eth_blockNumber" ? as_quantity(head)
                                                                   : call(request["params"]);
            // The specification lets a node answer in any order.
            answers.insert(answers.begin(),
                           json{{"jsonrpc", "2.0"}, {"id", request["id"]}, {"result", result}});
        }
        return answers.dump();
    }
};

struct Chain {
    std::map<std::string, FakeNode> nodes{{"http://a/", {}}};
    std::optional<std::uint64_t> expected = kArbitrumChain;

    Result<StakeReading> read() {
        EthereumOptions options;
        for (const auto& [url, node] : nodes)
            options.urls.push_back(url);
        options.controller = kController;
        options.orchestrator = kUs;
        options.chain = expected;
        EthereumSource source(options, [this](const std::string& url, const std::string& body) {
            FakeNode& node = nodes.at(url);
            return node.down ? Result<std::string>(error(ErrorKind::disconnected, "refused"))
                             : Result<std::string>(node.answer(body));
        });
        return source.read();
    }
    std::string problem() {
        const auto reading = read();
        REQUIRE_FALSE(reading.has_value());
        return reading.error().message;
    }
    FakeNode& node(char name) { return nodes[std::string("http://") + name + "/"]; }
};

bool says(const std::string& text, std::string_view words) {
    return text.find(words) != std::string::npos;
}

}  // namespace

TEST_CASE("one honest node tells stake, set and round", "[stake]") {
    Chain chain;
    const auto reading = chain.read();
    REQUIRE(reading.has_value());
    CHECK(*reading == StakeReading{*Lpt::parse("1500.25"), true, 3500});
}

TEST_CASE("who is not registered or not in the set is not active", "[stake]") {
    Chain chain;
    chain.node('a').active = false;
    CHECK_FALSE(chain.read()->active);
    chain.node('a').active = true;
    chain.node('a').registered = false;
    CHECK_FALSE(chain.read()->active);
}

TEST_CASE("a node that is down, lags or is on another chain is passed over", "[stake]") {
    Chain chain;
    chain.node('b').down = true;
    chain.node('c').chain = 1;
    chain.node('d').head = 900;
    chain.node('d').tokens = "1";
    chain.node('e').head = 1001;
    CHECK(chain.read()->tokens == *Lpt::parse("1500.25"));
}

TEST_CASE("all nodes are asked about the lowest of their heads", "[stake]") {
    Chain chain;
    chain.node('b').head = 990;
    REQUIRE(chain.read().has_value());
    for (const char name : {'a', 'b'})
        for (const std::string& block : chain.node(name).blocks)
            CHECK(block == as_quantity(990));
}

TEST_CASE("one liar among three changes nothing", "[stake]") {
    Chain chain;
    chain.node('b').tokens = "1500.25";
    chain.node('c').tokens = "999999";
    CHECK(chain.read()->tokens == *Lpt::parse("1500.25"));
}

TEST_CASE("two nodes that contradict each other tell nothing", "[stake]") {
    Chain chain;
    chain.node('b').tokens = "1500.250000000000000001";
    CHECK(says(chain.problem(), "contradict"));
}

TEST_CASE("nodes of different chains tell nothing when no chain is expected", "[stake]") {
    Chain chain;
    chain.expected.reset();
    chain.node('b').chain = 1;
    CHECK(says(chain.problem(), "different chains"));
}

TEST_CASE("the wrong chain is named, and what was expected", "[stake]") {
    Chain chain;
    chain.node('a').chain = 1;
    const std::string problem = chain.problem();
    CHECK(says(problem, "a: is on chain 1, expected 42161"));
}

TEST_CASE("a controller that knows no contracts is an error", "[stake]") {
    Chain chain;
    chain.node('a').controller = kRounds;
    CHECK_FALSE(chain.read().has_value());
}

TEST_CASE("malformed, short, long and absurd answers are errors, never values", "[stake]") {
    for (const std::string& answer :
         {std::string("0x"), std::string("1500"), "0x" + std::string(62, '0'),
          "0x" + std::string(128, '1'), "0x" + std::string(64, 'f'), "0x" + std::string(64, 'z'),
          hex_word(Lpt::Units{2'000'000'000} * 1'000'000'000'000'000'000U)}) {
        INFO(answer);
        Chain chain;
        chain.node('a').stake_answer = answer;
        CHECK_FALSE(chain.read().has_value());
    }
}

TEST_CASE("answers that are no batch of ours are errors", "[stake]") {
    for (
        const std::string answer :
        {"", "null", "[]", "{}", "<html>", "[1,2]", R"([{"id":0,"result":"0x1"}])",
         R"([{"id":0,"result":"0x1"},{"id":0,"result":"0x1"}])",
         R"([{"id":0,"result":"0x1"},{"id":7,"result":"0x1"}])",
         R"([{"id":0,"result":1},{"id":1,"result":"0x1"}])",
         R"([{"id":"0","result":"0x1"},{"id":1,"result":"0x1"}])",
         R"([{"id":0,"error":{"code":-32000,"message":"busy\n\u001b[2J"}},{"id":1,"result":"0x1"}])",
         R"({"id":null,"error":{"code":-32600,"message":"no batches here"}})"}) {
        INFO(answer);
        Chain chain;
        chain.node('a').whole_answer = answer;
        if (answer.empty())
            chain.node('a').whole_answer = " ";
        const std::string problem = chain.problem();
        CHECK(problem.find('\n') == std::string::npos);
        CHECK(problem.find('\x1b') == std::string::npos);
    }
}

TEST_CASE("only the host of a node's URL is ever named", "[stake]") {
    CHECK(host_of("https://user:secret@node.example:8545/v3/key?x=1") == "node.example:8545");
    CHECK(host_of("node.example/key") == "node.example");
}
