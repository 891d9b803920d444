#include "transcoder/commands/devices.h"

#include <cstdio>
#include <string>

#include <nlohmann/json.hpp>

#include "common/config/exit_code.h"
#include "transcoder/media/devices.h"

namespace millrace::transcoder {
namespace {

using nlohmann::json;

json to_json(const std::vector<media::Ability>& abilities) {
    json list = json::array();
    for (const media::Ability& ability : abilities) {
        json entry{{"kind", ability.kind},
                   {"codec", ability.codec},
                   {"name", ability.name},
                   {"works", ability.works},
                   {"used", ability.used}};
        if (!ability.reason.empty())
            entry["reason"] = ability.reason;
        list.push_back(std::move(entry));
    }
    return list;
}

void print_table(const std::vector<media::Ability>& abilities) {
    for (const media::Ability& ability : abilities)
        std::printf("%-14s %-14s %-16s %s\n", ability.kind.c_str(), ability.codec.c_str(),
                    ability.name.c_str(),
                    !ability.works ? ("no: " + ability.reason).c_str()
                    : ability.used ? "yes"
                                   : ("works, not used: " + ability.reason).c_str());
}

}  // namespace

int run_devices(bool as_json) {
    const media::Survey survey = media::survey();
    if (as_json)
        std::printf("%s\n", json{{"devices", {{{"kind", "cpu"}, {"name", survey.cpu}}}},
                                 {"ffmpeg", survey.ffmpeg},
                                 {"abilities", to_json(survey.abilities)}}
                                .dump(2)
                                .c_str());
    else {
        std::printf("cpu            %s\nffmpeg         %s\n\n", survey.cpu.c_str(),
                    survey.ffmpeg.c_str());
        print_table(survey.abilities);
    }
    const bool works = !survey.capabilities.decode.empty() && !survey.capabilities.encode.empty();
    return works ? config::kExitDone : config::kExitDevice;
}

}  // namespace millrace::transcoder
