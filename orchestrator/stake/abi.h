#pragma once
// The part of Solidity's contract ABI that reading stake takes: static arguments and results, each one
// word of 32 bytes, big-endian (Solidity documentation, "Contract ABI Specification").
//
// Answers come from nodes that may be broken or lie: every reader checks the padding and refuses what
// the type cannot hold.
//
// Thread: any; values.

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/domain/lpt.h"

namespace millrace::orchestrator::stake {

using Word = std::array<std::uint8_t, 32>;

// Keccak-256 with the padding Ethereum uses (not SHA3-256's).
[[nodiscard]] Word keccak256(std::string_view text);

class Address {
public:
    // 0x and 40 hex digits; mixed case must carry the right checksum (EIP-55). bad_input otherwise.
    [[nodiscard]] static Result<Address> parse(std::string_view text);
    [[nodiscard]] static Address of_bytes(const std::array<std::uint8_t, 20>& bytes);

    [[nodiscard]] std::string text() const;  // with its checksum
    [[nodiscard]] bool zero() const { return bytes_ == std::array<std::uint8_t, 20>{}; }
    [[nodiscard]] const std::array<std::uint8_t, 20>& bytes() const { return bytes_; }
    bool operator==(const Address&) const = default;

private:
    std::array<std::uint8_t, 20> bytes_{};
};

[[nodiscard]] Word as_word(const Address& address);

// Data of a call: the selector of e.g. "isActiveTranscoder(address)", then the arguments; as 0x hex.
[[nodiscard]] std::string call_data(std::string_view signature, std::span<const Word> arguments);

// 0x hex of whole words, exactly `count` of them. bad_input otherwise.
[[nodiscard]] Result<std::vector<Word>> words(std::string_view hex, std::size_t count);

[[nodiscard]] Result<bool> as_bool(const Word& word);
[[nodiscard]] Result<std::uint64_t> as_u64(const Word& word);
[[nodiscard]] Result<Address> as_address(const Word& word);
// A token amount in base units; above 2^128 no honest contract goes.
[[nodiscard]] Result<Lpt> as_lpt(const Word& word);

// 0x hex number without leading zeros, as JSON-RPC writes quantities ("0x0", "0xa4b1").
[[nodiscard]] Result<std::uint64_t> quantity(std::string_view text);
[[nodiscard]] std::string as_quantity(std::uint64_t value);

}  // namespace millrace::orchestrator::stake
