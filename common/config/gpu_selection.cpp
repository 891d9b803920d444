#include "common/config/gpu_selection.h"

#include <algorithm>

#include "common/config/field_error.h"
#include "common/config/values.h"
#include "common/domain/capacity.h"

namespace millrace::config {
namespace {

constexpr std::size_t kUuidMax = 80;  // NVML's own bound

// "GPU-8f1c2d3e-..."
bool is_uuid(std::string_view text) {
    return text.starts_with("GPU-") && text.size() > 4 && text.size() <= kUuidMax &&
           std::ranges::all_of(text, [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                      c == '-';
           });
}

Result<GpuChoice> parse_choice(const std::string& word) {
    const std::size_t colon = word.find(':');
    GpuChoice choice{word.substr(0, colon)};
    const auto index = parse_count(choice.which, 0, kGpusMax - 1);
    if (!index && !is_uuid(choice.which))
        return error(ErrorKind::bad_input,
                     quote(word) + " must begin with the index of a GPU (0 to 63) or its UUID");
    if (index)
        choice.which = std::to_string(*index);  // "00" is the same GPU
    if (colon == std::string::npos)
        return choice;
    const auto limit = parse_count(word.substr(colon + 1), 1, kSlotsMax);
    if (!limit)
        return error(ErrorKind::bad_input, quote(word) + " must end with how many sessions, 1 to " +
                                               std::to_string(kSlotsMax));
    choice.sessions_max = static_cast<std::uint32_t>(*limit);
    return choice;
}

}  // namespace

std::string GpuSelection::text() const {
    if (all)
        return "all";
    std::string text;
    for (const GpuChoice& choice : chosen) {
        text += (text.empty() ? "" : ",") + choice.which;
        if (choice.sessions_max)
            text += ":" + std::to_string(*choice.sessions_max);
    }
    return text;
}

Result<GpuSelection> parse_gpus(const std::vector<std::string>& words) {
    if (words == std::vector<std::string>{"all"})
        return GpuSelection{true, {}};
    GpuSelection selection;
    std::string wrong;
    const auto note = [&](const std::string& sentence) {
        wrong += (wrong.empty() ? "" : "; ") + sentence;
    };
    for (const std::string& word : words) {
        if (word == "all") {
            note("'all' stands alone");
            continue;
        }
        auto choice = parse_choice(word);
        if (!choice)
            note(choice.error().message);
        else if (std::ranges::find(selection.chosen, choice->which, &GpuChoice::which) !=
                 selection.chosen.end())
            note("GPU " + choice->which + " is given twice");
        else
            selection.chosen.push_back(*std::move(choice));
    }
    if (selection.chosen.size() > kGpusMax)
        note("there can be at most " + std::to_string(kGpusMax));
    if (!wrong.empty())
        return error(ErrorKind::bad_input, wrong);
    return selection;
}

Result<GpuStagesAllowed> parse_gpu_stages(const std::vector<std::string>& words) {
    GpuStagesAllowed allowed{false, false, false};
    for (const std::string& word : words) {
        if (word == "decode")
            allowed.decode = true;
        else if (word == "scale")
            allowed.scale = true;
        else if (word == "encode")
            allowed.encode = true;
        else
            return error(ErrorKind::bad_input,
                         "must be of decode, scale and encode, not " + quote(word));
    }
    return allowed;
}

}  // namespace millrace::config
