// Golden messages: golden/MAJOR.MINOR/*.hex hold every message as that minor wrote it. Those of the
// minor at hand are checked both ways, those of earlier minors must decode for ever. golden/later/
// holds messages as a later minor might write them.
//
// MILLRACE_UPDATE_GOLDEN=1 writes the files of the minor at hand; for a released minor that is a
// mistake.

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "common/base/hex.h"
#include "common/wire/codec.h"
#include "tests/support/catch.h"
#include "tests/unit/wire/samples.h"

using namespace millrace;
using namespace millrace::test;

namespace {

using Bytes = std::vector<std::uint8_t>;

const std::filesystem::path kGolden = MILLRACE_GOLDEN_DIR;

// Hex digits in words of 8 bytes, four to a line, so that a diff shows which field changed.
std::string as_text(const Bytes& bytes) {
    const std::string digits = to_hex(bytes);
    std::string text;
    for (std::size_t at = 0; at < digits.size(); at += 16) {
        text += digits.substr(at, 16);
        text += (at / 16) % 4 == 3 || at + 16 >= digits.size() ? '\n' : ' ';
    }
    return text;
}

Bytes read_bytes(const std::filesystem::path& file) {
    std::ifstream in(file);
    INFO(file);
    REQUIRE(in.good());
    Bytes bytes;
    std::string word;
    while (in >> word)
        for (std::size_t at = 0; at + 2 <= word.size(); at += 2)
            bytes.push_back(static_cast<std::uint8_t>(std::stoul(word.substr(at, 2), nullptr, 16)));
    return bytes;
}

Decoded<FromTranscoder> decode(const Bytes& bytes, const FromTranscoder*) {
    return decode_from_transcoder(bytes);
}
Decoded<FromOrchestrator> decode(const Bytes& bytes, const FromOrchestrator*) {
    return decode_from_orchestrator(bytes);
}
Decoded<PayloadEnvelope> decode(const Bytes& bytes, const PayloadEnvelope*) {
    return decode_payload(bytes);
}

std::filesystem::path current_folder() {
    return kGolden / (std::to_string(kProtocolMajor) + "." + std::to_string(kProtocolMinor));
}

template <class Message>
void check(const std::vector<Sample<Message>>& samples, const std::filesystem::path& folder,
           bool also_encode) {
    for (const auto& sample : samples) {
        INFO(folder / sample.name);
        const auto file = folder / (sample.name + ".hex");
        if (also_encode && std::getenv("MILLRACE_UPDATE_GOLDEN") != nullptr) {
            std::filesystem::create_directories(folder);
            std::ofstream(file) << as_text(encode(sample.message));
        }
        const Bytes golden = read_bytes(file);
        const auto decoded = decode(golden, &sample.message);
        REQUIRE(decoded.has_value());
        REQUIRE(std::holds_alternative<Message>(*decoded));
        CHECK((std::get<Message>(*decoded) == sample.message));
        if (also_encode)
            CHECK(as_text(encode(sample.message)) == as_text(golden));
    }
}

template <class Message>
Message later(const std::string& name) {
    const auto decoded = decode(read_bytes(kGolden / "later" / (name + ".hex")),
                                static_cast<const Message*>(nullptr));
    INFO(name);
    REQUIRE(decoded.has_value());
    REQUIRE(std::holds_alternative<Message>(*decoded));
    return std::get<Message>(*decoded);
}

template <class Message>
Ignored ignored(const std::string& name) {
    const auto decoded = decode(read_bytes(kGolden / "later" / (name + ".hex")),
                                static_cast<const Message*>(nullptr));
    INFO(name);
    REQUIRE(decoded.has_value());
    REQUIRE(std::holds_alternative<Ignored>(*decoded));
    return std::get<Ignored>(*decoded);
}

}  // namespace

TEST_CASE("every message has exactly the golden bytes of its minor", "[wire][golden]") {
    check(transcoder_samples(), current_folder(), true);
    check(orchestrator_samples(), current_folder(), true);
    check(payload_samples(), current_folder(), true);
}

TEST_CASE("there is a sample for every message of the protocol", "[wire][golden]") {
    const auto covers = [](const auto& samples, std::size_t alternatives) {
        std::vector<bool> seen(alternatives, false);
        for (const auto& sample : samples)
            seen[sample.message.message.index()] = true;
        return std::count(seen.begin(), seen.end(), true) ==
               static_cast<std::ptrdiff_t>(alternatives);
    };
    CHECK(covers(transcoder_samples(), std::variant_size_v<ToOrchestrator>));
    CHECK(covers(orchestrator_samples(), std::variant_size_v<ToTranscoder>));
    CHECK(covers(payload_samples(), std::variant_size_v<PayloadMessage>));
}

TEST_CASE("messages of every earlier minor still decode", "[wire][golden]") {
    // 1.0 is the first; a sample that a later minor adds has no file in its folder.
    check(transcoder_samples(), kGolden / "1.0", false);
    check(orchestrator_samples(), kGolden / "1.0", false);
    check(payload_samples(), kGolden / "1.0", false);
}

TEST_CASE("fields that a later minor adds are passed over", "[wire][golden]") {
    const auto message = later<FromTranscoder>("heartbeat_with_new_fields");
    CHECK(message.fence == Fence{Epoch{7}, Incarnation{9}});
    CHECK(std::get<Heartbeat>(message.message).number == 12);
    CHECK(std::get<Heartbeat>(message.message).sessions == std::vector{SessionId{"s1"}});
}

TEST_CASE("a later minor's message is ignored, with its fence, not refused", "[wire][golden]") {
    const Fence fence{Epoch{7}, Incarnation{9}};
    CHECK(ignored<FromTranscoder>("new_transcoder_message").fence == fence);
    CHECK(ignored<FromOrchestrator>("new_orchestrator_message").fence == fence);
    CHECK(ignored<PayloadEnvelope>("new_payload_message").fence == fence);
}

TEST_CASE("work of a kind this build does not know is ignored as a whole", "[wire][golden]") {
    CHECK(ignored<FromOrchestrator>("dispatch_of_new_kind").what == "unknown Dispatch.kind");
    CHECK(ignored<FromOrchestrator>("dispatch_with_new_codec").what ==
          "unknown RenditionSpec.codec");
}

TEST_CASE("enumerants that only describe become the nearest known one", "[wire][golden]") {
    const auto hello = std::get<Hello>(later<FromTranscoder>("hello_with_new_codec").message);
    CHECK(hello.capabilities.encode == std::vector{VideoCodec::h264});
    const auto refused =
        std::get<SlotRefused>(later<FromTranscoder>("slot_refused_for_new_reason").message);
    CHECK(refused.reason == SlotRefusal::no_free_slot);
    const auto cancel = std::get<Cancel>(later<FromOrchestrator>("cancel_for_new_reason").message);
    CHECK(cancel.reason == CancelReason::superseded);
}
