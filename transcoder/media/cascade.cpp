#include "transcoder/media/cascade.h"

#include <algorithm>

namespace millrace::media {
namespace {

bool covers(Size larger, Size smaller) {
    return larger.width >= smaller.width && larger.height >= smaller.height;
}

bool can_serve(const Shape& larger, const Shape& smaller, Size source) {
    return larger.format == smaller.format && larger.size != smaller.size &&
           covers(larger.size, smaller.size) && covers(source, larger.size);
}

}  // namespace

std::vector<std::optional<Shape>> cascade(std::span<const CascadeStep> ladder, Size source) {
    std::vector<std::optional<Shape>> shapes(ladder.size());
    std::vector<std::size_t> by_size;
    for (std::size_t n = 0; n < ladder.size(); ++n)
        if (ladder[n].shape)
            by_size.push_back(n);
    std::ranges::stable_sort(by_size, std::ranges::greater(),
                             [&](std::size_t n) { return ladder[n].shape->size.pixels(); });
    // Large ones first: what a smaller one is made of is settled by then.
    for (auto at = by_size.begin(); at != by_size.end(); ++at) {
        Shape shape = *ladder[*at].shape;
        if (ladder[*at].cascaded)
            for (auto larger = at; larger != by_size.begin() && !shape.from;)
                if (--larger; can_serve(*shapes[*larger], shape, source))
                    shape.from = std::make_shared<const Shape>(*shapes[*larger]);
        shapes[*at] = std::move(shape);
    }
    return shapes;
}

}  // namespace millrace::media
