// CloseReason — why a connection ended. Exactly one per connection; the word is the same in the
// log, in the counters, in the `bye`, and in the part that the rooms hear.
#pragma once

#include "protocol/error_code.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace roomd {

enum class CloseReason : std::uint8_t {
    end,              // the client finished sending and has all its answers
    quit,             // it said /quit
    reset,            // the connection broke, or its peer died
    bad_frame,        // a length that no frame can have
    http,             // a web client
    tls,              // a TLS hello
    unknown_protocol, // a first byte that nothing begins with
    slow,             // it did not read
    idle,             // it said nothing, or did not finish what it began
    full,             // no room for another connection
    shutting_down,    // the daemon stops
};

inline constexpr std::size_t close_reason_count =
    static_cast<std::size_t>(CloseReason::shutting_down) + 1;

/// The word, e.g. "shutting_down". Static storage.
[[nodiscard]] inline std::string_view word(CloseReason reason) {
    switch (reason) {
    case CloseReason::end:
        return "end";
    case CloseReason::quit:
        return "quit";
    case CloseReason::reset:
        return "reset";
    case CloseReason::bad_frame:
        return word(ErrorCode::bad_frame);
    case CloseReason::http:
        return "http";
    case CloseReason::tls:
        return "tls";
    case CloseReason::unknown_protocol:
        return "unknown_protocol";
    case CloseReason::slow:
        return word(ErrorCode::slow);
    case CloseReason::idle:
        return word(ErrorCode::idle);
    case CloseReason::full:
        return word(ErrorCode::full);
    case CloseReason::shutting_down:
        return word(ErrorCode::shutting_down);
    }
    return "internal";
}

} // namespace roomd
