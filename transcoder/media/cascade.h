#pragma once
// Which rendition is scaled from which (`scaling: "cascaded"`): from the smallest larger one of the
// ladder, where there is one of the same format, else from the decoded picture. Cheaper where a source
// is large, and a little softer, as each step loses something.
//
// It depends on the ladder and the picture's size alone, so a rendition is the same wherever it is
// made. Pure.
//
// Thread: any.

#include <optional>
#include <span>
#include <vector>

#include "transcoder/media/picture.h"

namespace millrace::media {

struct CascadeStep {
    std::optional<Shape> shape;  // none: no pictures are scaled for it
    bool cascaded = false;       // it wants to be made of another one
};

// The shapes again, with what each is scaled from filled in. A picture is larger when neither side is
// smaller and one is longer; one that is larger than `source` in itself serves nobody.
[[nodiscard]] std::vector<std::optional<Shape>> cascade(std::span<const CascadeStep> ladder,
                                                        Size source);

}  // namespace millrace::media
