#include "lihandover/audit/entry.hpp"

namespace lihandover::audit {

std::string_view name_of(Refusal::Kind kind) {
    switch (kind) {
        case Refusal::Kind::hi1_error:
            return "hi1_error";
        case Refusal::Kind::http_status:
            return "http_status";
        case Refusal::Kind::invalid_document:
            return "invalid_document";
        case Refusal::Kind::expired:
            return "expired";
        case Refusal::Kind::no_answer:
            return "no_answer";
        case Refusal::Kind::unreadable:
            return "unreadable";
    }
    return "unknown";
}

}  // namespace lihandover::audit
