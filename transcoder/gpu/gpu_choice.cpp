#include "transcoder/gpu/gpu_choice.h"

#include <algorithm>

namespace millrace::gpu {
namespace {

Chosen chosen(const Reading& gpu, std::optional<std::uint32_t> sessions_max) {
    return {gpu.index, gpu.uuid, gpu.name, sessions_max};
}

bool means(const config::GpuChoice& choice, const Reading& gpu) {
    return choice.which == std::to_string(gpu.index) || choice.which == gpu.uuid;
}

std::string list_of(const std::vector<Reading>& present) {
    std::string list;
    for (const Reading& gpu : present)
        list += (list.empty() ? "" : ", ") + std::to_string(gpu.index) + " (" + gpu.name + ", " +
                gpu.uuid + ")";
    return list;
}

}  // namespace

Result<std::vector<Chosen>> choose(const config::GpuSelection& selection,
                                   const std::vector<Reading>& present) {
    std::vector<Chosen> found;
    if (selection.all)
        for (const Reading& gpu : present)
            found.push_back(chosen(gpu, std::nullopt));
    std::string wrong;
    for (const config::GpuChoice& choice : selection.chosen) {
        const auto at =
            std::ranges::find_if(present, [&](const Reading& gpu) { return means(choice, gpu); });
        if (at == present.end())
            wrong += "there is no GPU " + choice.which + "; ";
        else if (std::ranges::find(found, at->index, &Chosen::index) != found.end())
            wrong += choice.which + " is the same GPU as one before; ";
        else
            found.push_back(chosen(*at, choice.sessions_max));
    }
    if (!wrong.empty())
        return error(ErrorKind::device, wrong + "this machine has " + list_of(present));
    return found;
}

}  // namespace millrace::gpu
