#pragma once
// A receipt: what a transcoder vouches for, with a key of its own, when it has transcoded a segment. Its owner can
// show it to anybody: for whom the work was done, on which bytes, what came out of it.
//
// Signed is one canonical sequence of bytes (signed_bytes()); both sides make it from what they know themselves,
// so only a ReceiptStub travels, and a signature that holds says that they know the same. Who asked for the work
// stands in it: a receipt is worth nothing at another orchestrator. The signature is Ed25519 (common/net/signing.h).
//
// Form "millrace-receipt/1" (common/base/canonical.h):
//   text orchestrator, text transcoder, 32 bytes signer,
//   text session, number run, number seq, 32 bytes SHA-256 of the source,
//   number decoded frames, number decoded pixels, number duration (ns),
//   number of renditions, and for each, in ladder order:
//     text name, number width, height, bytes, frames, pixels, copied (1 or 0), 32 bytes SHA-256,
//   number receive, decode, scale, encode, send, total (us), number finished at (ms since the Unix epoch),
//   text software, text device
//
// Thread: any; values.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/domain/segment.h"

namespace millrace {

// The public half of the Ed25519 key that a transcoder signs with.
struct SignerKey {
    std::array<std::uint8_t, 32> bytes{};
    auto operator<=>(const SignerKey&) const = default;
};
using Signature = std::array<std::uint8_t, 64>;

inline constexpr std::size_t kReceiptTextMax = 128;          // bytes of software and of device
inline constexpr std::size_t kReceiptBytesMax = 8ULL << 10;  // of the signed bytes

// What of a receipt travels: the rest both sides know.
struct ReceiptStub {
    WallTime finished_at;  // by the transcoder's clock, for people
    std::string software;  // versions of the program and of what it encodes with
    std::string device;    // what it ran on, with its driver's version
    Signature signature{};
    bool operator==(const ReceiptStub&) const = default;
};

struct ReceiptParties {
    OrchestratorKey orchestrator;
    TranscoderKey transcoder;
    SignerKey signer;
    bool operator==(const ReceiptParties&) const = default;
};

struct ReceiptRendition {
    std::string name;
    Size size;
    std::int64_t bytes = 0;
    std::int64_t frames = 0;
    std::int64_t pixels = 0;
    bool copied = false;
    Sha256 sha256{};
    bool operator==(const ReceiptRendition&) const = default;
};

struct Receipt {
    ReceiptParties parties;
    SegmentKey segment;
    std::int64_t decoded_frames = 0;
    std::int64_t decoded_pixels = 0;
    Duration duration{0};  // of the segment, measured
    std::vector<ReceiptRendition> renditions;
    StageTimes times;
    WallTime finished_at;
    std::string software;
    std::string device;
    bool operator==(const Receipt&) const = default;
};

[[nodiscard]] Receipt receipt_of(const ReceiptParties& parties, const SegmentKey& segment,
                                 const TranscodeReport& report, const ReceiptStub& stub);

[[nodiscard]] std::string signed_bytes(const Receipt& receipt);
// Nothing unless the bytes are what signed_bytes() makes of some receipt.
[[nodiscard]] std::optional<Receipt> receipt_from(std::string_view signed_bytes);

// A receipt as it is kept and handed on: the signed bytes, then the signature.
struct SignedReceipt {
    std::string bytes;
    Signature signature{};
    bool operator==(const SignedReceipt&) const = default;
};
[[nodiscard]] std::string stored_form(const SignedReceipt& receipt);
[[nodiscard]] std::optional<SignedReceipt> from_stored_form(std::string_view stored);

// As text, for mails and files: "mrr1_" + base64url of the stored form.
[[nodiscard]] std::string to_text(const SignedReceipt& receipt);
[[nodiscard]] std::optional<SignedReceipt> receipt_from_text(std::string_view text);

// Cut to kReceiptTextMax, and to printable ASCII: it is shown on terminals.
[[nodiscard]] std::string receipt_text(std::string_view text);

}  // namespace millrace
