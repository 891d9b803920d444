#include "transcoder/commands/verify_receipt.h"

#include <cstdio>
#include <ctime>
#include <fstream>
#include <iostream>

#include <nlohmann/json.hpp>

#include "common/base/hex.h"
#include "common/config/exit_code.h"
#include "common/net/signing.h"
#include "transcoder/data_dir.h"

namespace millrace::transcoder {
namespace {

using nlohmann::json;

int complain(int code, const std::string& sentence) {
    std::fprintf(stderr, "transcoder: %s\n", sentence.c_str());
    return code;
}

std::string utc(WallTime time) {
    const std::time_t seconds = time.ms / 1000;
    std::tm parts{};
    char text[32] = "";
    if (::gmtime_r(&seconds, &parts) == nullptr ||
        std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        return std::to_string(time.ms) + " ms";
    return text;
}

json to_json(const Receipt& receipt) {
    json renditions = json::array();
    for (const ReceiptRendition& r : receipt.renditions)
        renditions.push_back({{"name", r.name},
                              {"width", r.size.width},
                              {"height", r.size.height},
                              {"bytes", r.bytes},
                              {"frames", r.frames},
                              {"pixels", r.pixels},
                              {"copied", r.copied},
                              {"sha256", to_hex(r.sha256)}});
    const StageTimes& t = receipt.times;
    return {{"signer", to_hex(receipt.parties.signer.bytes)},
            {"transcoder", receipt.parties.transcoder.value},
            {"orchestrator", receipt.parties.orchestrator.value},
            {"session", receipt.segment.session.value},
            {"run", receipt.segment.run},
            {"seq", receipt.segment.seq},
            {"sha256", to_hex(receipt.segment.sha256)},
            {"decoded_frames", receipt.decoded_frames},
            {"decoded_pixels", receipt.decoded_pixels},
            {"duration_ns", receipt.duration.count()},
            {"renditions", std::move(renditions)},
            {"times_us",
             {{"receive", t.receive_us},
              {"decode", t.decode_us},
              {"scale", t.scale_us},
              {"encode", t.encode_us},
              {"send", t.send_us},
              {"total", t.total_us}}},
            {"finished_at", utc(receipt.finished_at)},
            {"software", receipt.software},
            {"device", receipt.device}};
}

// A receipt may come from anywhere, and this goes to a terminal.
void say(const std::string& what, const std::string& value) {
    std::printf("%-14s %s\n", what.c_str(), receipt_text(value).c_str());
}

void print(const Receipt& receipt) {
    const SegmentKey& segment = receipt.segment;
    std::printf("valid\n");
    say("signed with", to_hex(receipt.parties.signer.bytes));
    say("transcoder", receipt.parties.transcoder.value);
    say("orchestrator", receipt.parties.orchestrator.value);
    say("segment", segment.session.value + "/" + std::to_string(segment.run) + "/" +
                       std::to_string(segment.seq));
    say("source", to_hex(segment.sha256));
    say("decoded", std::to_string(receipt.decoded_frames) + " frames, " +
                       std::to_string(receipt.decoded_pixels) + " pixels, " +
                       std::to_string(to_ms(receipt.duration)) + " ms");
    for (const ReceiptRendition& r : receipt.renditions) {
        say("rendition", r.name + ": " + std::to_string(r.frames) + " frames, " +
                             std::to_string(r.pixels) + " pixels, " + std::to_string(r.bytes) +
                             " bytes" + (r.copied ? ", copied" : ""));
        say("", to_hex(r.sha256));
    }
    say("took", std::to_string(receipt.times.total_us) + " us");
    say("finished", utc(receipt.finished_at));
    say("software", receipt.software);
    say("device", receipt.device);
}

// The receipt, or why it does not hold.
Result<Receipt> judge(const std::string& text, const std::optional<SignerKey>& expected) {
    const auto kept = receipt_from_text(text);
    const auto receipt = kept ? receipt_from(kept->bytes) : std::nullopt;
    if (!receipt)
        return error(ErrorKind::bad_input, "this is no receipt: mrr1_... is wanted");
    const SignerKey& signer = receipt->parties.signer;
    if (!net::signature_holds(signer, kept->bytes, kept->signature))
        return error(ErrorKind::bad_input, "the signature does not hold: something was changed");
    if (expected && signer != *expected)
        return error(ErrorKind::bad_input,
                     "it is signed with another key: " + to_hex(signer.bytes));
    return *receipt;
}

int judge_all(std::istream& in, const std::optional<SignerKey>& expected, bool as_json) {
    int found = 0;
    for (std::string word; in >> word;) {
        const auto receipt = judge(word, expected);
        if (!receipt)
            return complain(config::kExitBadInput, receipt.error().message);
        if (as_json)
            std::printf(
                "%s\n",
                to_json(*receipt).dump(-1, ' ', true, json::error_handler_t::replace).c_str());
        else
            print(*receipt);
        ++found;
    }
    return found > 0 ? config::kExitDone
                     : complain(config::kExitBadInput, "there is no receipt in it");
}

}  // namespace

int run_verify_receipt(const VerifyReceiptOptions& options) {
    std::optional<SignerKey> expected = options.expected;
    if (!options.data_dir.empty()) {
        const auto own = DataDir::signer_key(options.data_dir);
        if (!own)
            return complain(config::kExitUsage, own.error().message);
        expected = *own;
    }
    if (options.file == "-")
        return judge_all(std::cin, expected, options.json);
    std::ifstream file(options.file);
    if (!file)
        return complain(config::kExitUsage, "cannot read " + options.file);
    return judge_all(file, expected, options.json);
}

}  // namespace millrace::transcoder
