#include "orchestrator/stake/json_rpc.h"

#include <optional>

#include <nlohmann/json.hpp>

namespace millrace::orchestrator::stake {
namespace {

using nlohmann::json;

constexpr std::size_t kMessageBytesMax = 200;  // of a node's own words in ours

Error wrong(std::string what) {
    return error(ErrorKind::bad_input, std::move(what));
}

// Printable and short: these words come from a machine that may be hostile, and go into logs.
std::string tame(const json& words) {
    std::string text = words.is_string() ? words.get<std::string>() : "no message";
    text.resize(std::min(text.size(), kMessageBytesMax));
    for (char& c : text)
        if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e)
            c = '?';
    return text;
}

Result<std::string> result_of(const json& entry, const RpcCall& call) {
    if (const auto problem = entry.find("error"); problem != entry.end() && !problem->is_null())
        return wrong(call.method + ": the node says: " +
                     tame(problem->is_object() ? problem->value("message", json()) : *problem));
    const auto result = entry.find("result");
    if (result == entry.end() || !result->is_string())
        return wrong(call.method + ": the answer has no result");
    return result->get<std::string>();
}

}  // namespace

RpcCall view_call(const Address& contract, std::string_view signature,
                  std::span<const Word> arguments, std::string_view block) {
    const json target{{"to", contract.text()}, {"data", call_data(signature, arguments)}};
    return {"eth_call", json::array({target, block}).dump()};
}

std::string batch_text(std::span<const RpcCall> calls) {
    std::string text = "[";
    for (std::size_t id = 0; id < calls.size(); ++id) {
        text += id == 0 ? "" : ",";
        text += R"({"jsonrpc":"2.0","id":)" + std::to_string(id) + R"(,"method":)" +
                json(calls[id].method).dump() + R"(,"params":)" + calls[id].parameters + "}";
    }
    return text + "]";
}

Result<std::vector<std::string>> batch_results(std::string_view answer,
                                               std::span<const RpcCall> calls) {
    const json document = json::parse(answer, nullptr, false);
    // A node that cannot read a batch answers with one object: its words say more than ours.
    if (document.is_object() && !calls.empty())
        if (const auto result = result_of(document, calls.front()); !result)
            return result.error();
    if (!document.is_array() || document.size() != calls.size())
        return wrong("the answer is not a JSON-RPC batch of " + std::to_string(calls.size()));
    std::vector<std::optional<std::string>> found(calls.size());
    for (const json& entry : document) {
        const auto id = entry.is_object() ? entry.find("id") : entry.end();
        if (!entry.is_object() || id == entry.end() || !id->is_number_unsigned() ||
            *id >= calls.size() || found[id->get<std::size_t>()])
            return wrong("the answer has a foreign or repeated id");
        auto result = result_of(entry, calls[id->get<std::size_t>()]);
        if (!result)
            return result.error();
        found[id->get<std::size_t>()] = *std::move(result);
    }
    std::vector<std::string> results;
    for (auto& text : found)
        results.push_back(std::move(*text));  // as many as calls, each id once: all are there
    return results;
}

}  // namespace millrace::orchestrator::stake
