#pragma once
// JSON-RPC 2.0 as Ethereum nodes speak it: a batch of calls as one text, and its answer taken apart,
// strictly. The network is somebody else's.
//
// Thread: any; values.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "orchestrator/stake/abi.h"

namespace millrace::orchestrator::stake {

struct RpcCall {
    std::string method;
    std::string parameters = "[]";  // a JSON array
};

// eth_call of a view function at a block (a quantity).
[[nodiscard]] RpcCall view_call(const Address& contract, std::string_view signature,
                                std::span<const Word> arguments, std::string_view block);

// Ids are places in the batch, from 0.
[[nodiscard]] std::string batch_text(std::span<const RpcCall> calls);

// The results, strings all of them, in the order of the calls. bad_input: not a whole, well-formed
// answer to this batch, or the node reported an error; the message says which call.
[[nodiscard]] Result<std::vector<std::string>> batch_results(std::string_view answer,
                                                             std::span<const RpcCall> calls);

}  // namespace millrace::orchestrator::stake
