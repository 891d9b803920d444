#include "common/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace millrace {

void check_failed(std::string_view condition, std::string_view what, std::source_location where) {
    std::fprintf(stderr, "millrace: broken invariant: %.*s (%.*s) at %s:%u\n",
                 static_cast<int>(what.size()), what.data(), static_cast<int>(condition.size()),
                 condition.data(), where.file_name(), static_cast<unsigned>(where.line()));
    std::abort();
}

}  // namespace millrace
