// ExitStatus — what `room` and `roomctl` tell the shell, after sysexits where one fits. A plain
// value.
//
// One rule above all: `done` from a pipe means that every line was said and acknowledged.
#pragma once

#include <cstdint>

namespace roomd {

enum class ExitStatus : std::uint8_t {
    done = 0,
    refused = 1,       // a line, or the name asked for with --nick, was refused
    usage = 64,        // EX_USAGE
    unavailable = 69,  // EX_UNAVAILABLE: nobody answers there, or roomd lets nobody in
    input_output = 74, // EX_IOERR: stdin or stdout broke
    lost = 75,         // EX_TEMPFAIL: the connection ended before everything was acknowledged
    protocol = 76,     // EX_PROTOCOL: whoever answers does not speak roomd's frames
    not_allowed = 77,  // EX_NOPERM: this user may not command that roomd
};

/// A shell's way of saying "ended by this signal".
inline constexpr int signal_status_base = 128;

} // namespace roomd
