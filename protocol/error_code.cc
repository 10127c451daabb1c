#include "protocol/error_code.h"

namespace roomd {

std::string_view word(ErrorCode code) {
    // No default: the compiler names an enumerator that is missing here.
    switch (code) {
    case ErrorCode::too_large:
        return "too_large";
    case ErrorCode::bad_frame:
        return "bad_frame";
    case ErrorCode::bad_utf8:
        return "bad_utf8";
    case ErrorCode::bad_command:
        return "bad_command";
    case ErrorCode::bad_name:
        return "bad_name";
    case ErrorCode::name_taken:
        return "name_taken";
    case ErrorCode::no_room:
        return "no_room";
    case ErrorCode::not_in_room:
        return "not_in_room";
    case ErrorCode::no_nick:
        return "no_nick";
    case ErrorCode::too_many_rooms:
        return "too_many_rooms";
    case ErrorCode::rate_limited:
        return "rate_limited";
    case ErrorCode::no_permission:
        return "no_permission";
    case ErrorCode::slow:
        return "slow";
    case ErrorCode::idle:
        return "idle";
    case ErrorCode::full:
        return "full";
    case ErrorCode::shutting_down:
        return "shutting_down";
    case ErrorCode::internal:
        return "internal";
    }
    return "internal";
}

} // namespace roomd
