#include "transcoder/bench/step.h"

#include <algorithm>
#include <cmath>

namespace millrace::bench {
namespace {

double ratio(const Served& one) {
    return to_seconds(one.took) / std::max(to_seconds(one.duration), 1e-3);
}

}  // namespace

Quantiles quantiles(std::span<const Served> served) {
    if (served.empty())
        return {};
    std::vector<double> ratios;
    for (const Served& one : served)
        ratios.push_back(ratio(one));
    std::ranges::sort(ratios);
    const auto at = [&ratios](double share) {
        const double rank = std::ceil(share * static_cast<double>(ratios.size()));
        return ratios[static_cast<std::size_t>(std::max(rank, 1.0)) - 1];
    };
    return {at(0.50), at(0.95), at(0.99)};
}

std::vector<Served> all_served(const Step& step) {
    std::vector<Served> all;
    for (const auto& session : step.served)
        all.insert(all.end(), session.begin(), session.end());
    return all;
}

Verdict judge(const Step& step) {
    Verdict verdict;
    const std::vector<Served> all = all_served(step);
    verdict.all = quantiles(all);
    for (const auto& session : step.served)
        if (const Quantiles own = quantiles(session); own.p95 >= verdict.worst.p95)
            verdict.worst = own;
    verdict.late = static_cast<std::size_t>(
        std::ranges::count_if(all, [](const Served& one) { return one.took > one.duration; }));
    const bool everybody = step.served.size() == step.sessions && step.sessions > 0 &&
                           std::ranges::none_of(step.served, &std::vector<Served>::empty);
    verdict.holds = everybody && !step.given_up && verdict.late == 0 &&
                    verdict.all.p95 <= kP95Max && step.cpu_share <= kCpuShareMax;
    return verdict;
}

}  // namespace millrace::bench
