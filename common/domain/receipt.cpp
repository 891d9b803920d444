#include "common/domain/receipt.h"

#include <algorithm>

#include "common/base/base64url.h"
#include "common/base/canonical.h"

namespace millrace {
namespace {

constexpr std::string_view kForm = "millrace-receipt/1";
constexpr std::string_view kTextPrefix = "mrr1_";
constexpr std::size_t kNameMax = 128;  // bytes of keys, ids and names

std::int64_t stored(std::uint64_t number) {
    return static_cast<std::int64_t>(number);
}

void put(CanonicalWriter& out, const ReceiptRendition& r) {
    out.text(r.name)
        .number(r.size.width)
        .number(r.size.height)
        .number(r.bytes)
        .number(r.frames)
        .number(r.pixels)
        .number(r.copied ? 1 : 0)
        .raw(r.sha256);
}

ReceiptRendition get_rendition(CanonicalReader& in) {
    ReceiptRendition r;
    r.name = in.text(kNameMax);
    r.size.width = static_cast<std::int32_t>(in.number());
    r.size.height = static_cast<std::int32_t>(in.number());
    r.bytes = in.number();
    r.frames = in.number();
    r.pixels = in.number();
    r.copied = in.number() != 0;
    in.raw(r.sha256);
    return r;
}

void put(CanonicalWriter& out, const StageTimes& t) {
    for (const std::int64_t us :
         {t.receive_us, t.decode_us, t.scale_us, t.encode_us, t.send_us, t.total_us})
        out.number(us);
}

StageTimes get_times(CanonicalReader& in) {
    StageTimes t;
    for (std::int64_t* us :
         {&t.receive_us, &t.decode_us, &t.scale_us, &t.encode_us, &t.send_us, &t.total_us})
        *us = in.number();
    return t;
}

}  // namespace

Receipt receipt_of(const ReceiptParties& parties, const SegmentKey& segment,
                   const TranscodeReport& report, const ReceiptStub& stub) {
    Receipt receipt;
    receipt.parties = parties;
    receipt.segment = segment;
    receipt.decoded_frames = report.source.frames;
    receipt.decoded_pixels = report.source.pixels;
    receipt.duration = report.source.duration;
    for (const RenditionReport& r : report.renditions)
        receipt.renditions.push_back(
            {r.name, r.size, stored(r.bytes), r.frames, r.pixels, r.copied, r.sha256});
    receipt.times = report.times;
    receipt.finished_at = stub.finished_at;
    receipt.software = stub.software;
    receipt.device = stub.device;
    return receipt;
}

std::string signed_bytes(const Receipt& receipt) {
    CanonicalWriter out(kForm);
    out.text(receipt.parties.orchestrator.value)
        .text(receipt.parties.transcoder.value)
        .raw(receipt.parties.signer.bytes)
        .text(receipt.segment.session.value)
        .number(receipt.segment.run)
        .number(stored(receipt.segment.seq))
        .raw(receipt.segment.sha256)
        .number(receipt.decoded_frames)
        .number(receipt.decoded_pixels)
        .number(receipt.duration.count())
        .number(stored(receipt.renditions.size()));
    for (const ReceiptRendition& r : receipt.renditions)
        put(out, r);
    put(out, receipt.times);
    out.number(receipt.finished_at.ms).text(receipt.software).text(receipt.device);
    return out.bytes();
}

std::optional<Receipt> receipt_from(std::string_view bytes) {
    if (bytes.size() > kReceiptBytesMax)
        return std::nullopt;
    CanonicalReader in(kForm, bytes);
    Receipt receipt;
    receipt.parties.orchestrator.value = in.text(kNameMax);
    receipt.parties.transcoder.value = in.text(kNameMax);
    in.raw(receipt.parties.signer.bytes);
    receipt.segment.session.value = in.text(kNameMax);
    receipt.segment.run = static_cast<std::uint32_t>(in.number());
    receipt.segment.seq = static_cast<std::uint64_t>(in.number());
    in.raw(receipt.segment.sha256);
    receipt.decoded_frames = in.number();
    receipt.decoded_pixels = in.number();
    receipt.duration = Duration(in.number());
    const std::int64_t renditions = in.number();
    for (std::int64_t i = 0; i < std::min<std::int64_t>(renditions, kRenditionsMax); ++i)
        receipt.renditions.push_back(get_rendition(in));
    receipt.times = get_times(in);
    receipt.finished_at.ms = in.number();
    receipt.software = in.text(kReceiptTextMax);
    receipt.device = in.text(kReceiptTextMax);
    // One spelling: a number that was cut to its type, or a rendition left out, does not come back the same.
    if (!in.whole() || signed_bytes(receipt) != bytes)
        return std::nullopt;
    return receipt;
}

std::string stored_form(const SignedReceipt& receipt) {
    return receipt.bytes + std::string(receipt.signature.begin(), receipt.signature.end());
}

std::optional<SignedReceipt> from_stored_form(std::string_view stored) {
    SignedReceipt receipt;
    if (stored.size() <= receipt.signature.size() ||
        stored.size() > kReceiptBytesMax + receipt.signature.size())
        return std::nullopt;
    const std::size_t split = stored.size() - receipt.signature.size();
    receipt.bytes = stored.substr(0, split);
    std::copy(stored.begin() + static_cast<std::ptrdiff_t>(split), stored.end(),
              receipt.signature.begin());
    return receipt;
}

std::string to_text(const SignedReceipt& receipt) {
    return std::string(kTextPrefix) + base64url(stored_form(receipt));
}

std::optional<SignedReceipt> receipt_from_text(std::string_view text) {
    if (!text.starts_with(kTextPrefix))
        return std::nullopt;
    const auto stored = from_base64url(text.substr(kTextPrefix.size()));
    return stored ? from_stored_form(*stored) : std::nullopt;
}

std::string receipt_text(std::string_view text) {
    std::string out(text.substr(0, kReceiptTextMax));
    std::replace_if(
        out.begin(), out.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
    return out;
}

}  // namespace millrace
