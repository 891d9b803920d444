#include "common/domain/segment.h"

namespace millrace {

void leave(SeamContext& seam, const std::vector<RenditionReport>& renditions) {
    for (const RenditionReport& r : renditions) {
        if (r.index >= kRenditionsMax)
            continue;
        if (r.index >= seam.vbv_fill_bits.size()) {
            seam.vbv_fill_bits.resize(r.index + 1);
            seam.rate_factors_milli.resize(r.index + 1);
        }
        seam.vbv_fill_bits[r.index] = r.vbv_fill_bits;
        seam.rate_factors_milli[r.index] = r.rate_factor_milli;
    }
}

}  // namespace millrace
