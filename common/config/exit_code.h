#pragma once
// Exit codes of both programs (contract.md, section 1; the numbers are those of sysexits.h).

namespace millrace::config {

inline constexpr int kExitDone = 0;
inline constexpr int kExitUsage = 64;        // wrong usage
inline constexpr int kExitBadInput = 65;     // transcode: the input cannot be transcoded
inline constexpr int kExitUnreachable = 69;  // nobody reachable
inline constexpr int kExitStorage = 74;      // orchestrator: the disk under --data-dir failed
inline constexpr int kExitDevice = 75;       // device failing or missing
inline constexpr int kExitRefused = 77;      // join refused
inline constexpr int kExitConfig = 78;       // configuration wrong; the message names the key

}  // namespace millrace::config
