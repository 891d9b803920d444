#include "common/domain/protocol.h"

namespace millrace {

std::string_view to_string(JoinRefusal reason) {
    switch (reason) {
        case JoinRefusal::malformed:
            return "malformed";
        case JoinRefusal::expired:
            return "expired";
        case JoinRefusal::refused:
            return "refused";
        case JoinRefusal::foreign:
            return "foreign";
        case JoinRefusal::protocol:
            return "protocol";
    }
    return "refused";
}

}  // namespace millrace
