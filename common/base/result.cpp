#include "common/base/result.h"

namespace millrace {

std::string_view to_string(ErrorKind kind) {
    switch (kind) {
        case ErrorKind::bad_input:
            return "bad_input";
        case ErrorKind::overloaded:
            return "overloaded";
        case ErrorKind::disconnected:
            return "disconnected";
        case ErrorKind::timeout:
            return "timeout";
        case ErrorKind::unsupported:
            return "unsupported";
        case ErrorKind::device:
            return "device";
        case ErrorKind::internal:
            return "internal";
    }
    return "internal";
}

}  // namespace millrace
