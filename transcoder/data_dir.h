#pragma once
// What a transcoder keeps between starts: its key, the orchestrators it is enrolled with, the token
// of its admin door, and where it listens now. One transcoder per directory: it is locked for as
// long as this object lives.
//
//   lock, curve.key, signing.key, admin.token, orchestrators.json, bench.json, endpoints.json      (all 0600, directory 0700)
//
// Errors are ErrorKind::bad_input with a sentence that names --data-dir.
//
// Thread: its owner's. Owner: run.

#include <map>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/net/keys.h"
#include "common/net/signing.h"
#include "common/runtime/state_dir.h"

namespace millrace::transcoder {

// An orchestrator that let our key in.
struct KnownOrchestrator {
    net::PublicKey key;
    std::string name;  // ours, as it calls us
};

class DataDir {
public:
    // Makes the directory if need be and locks it.
    [[nodiscard]] static Result<DataDir> open(const std::string& path);

    // Made and kept at the first start.
    [[nodiscard]] Result<net::KeyPair> key_pair() const;
    // Signs receipts. An orchestrator that has been told this key takes no other from us.
    [[nodiscard]] Result<net::Signer> signer() const;
    [[nodiscard]] Result<net::Secret<std::string>> admin_token() const;

    // By control address, "HOST:PORT". A file that cannot be understood is an error: losing it
    // would cost the operator a new token.
    [[nodiscard]] Result<std::map<std::string, KnownOrchestrator>> orchestrators() const;
    [[nodiscard]] Result<void> save_orchestrators(
        const std::map<std::string, KnownOrchestrator>& orchestrators) const;

    // What was measured of this machine (bench.json); empty: nothing.
    [[nodiscard]] std::string bench() const;
    [[nodiscard]] Result<void> save_bench(std::string_view text) const;

    // Ports in use, for people and tests: {"admin": "HOST:PORT", "pid": N}.
    [[nodiscard]] Result<void> save_endpoints(const std::string& admin) const;

    [[nodiscard]] const std::string& path() const { return directory_.path(); }

    // The key of another transcoder's directory, also of one that is running.
    [[nodiscard]] static Result<SignerKey> signer_key(const std::string& path);

private:
    explicit DataDir(StateDir directory) : directory_(std::move(directory)) {}

    StateDir directory_;
};

}  // namespace millrace::transcoder
