// telnet — the commands that a telnet client puts between the characters of a line (RFC 854).
//
// Internal to protocol/. Looks at one command at a time and says how long it is and what it asks
// for; the Decoder decides what is answered. Knows no connection and keeps nothing. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace roomd {

enum class TelnetAsk : std::uint8_t {
    nothing,        // a command that wants no answer: NOP, IP, BRK, GA, DM, WONT, DONT ...
    will,           // the client offers an option
    do_it,          // the client wants an option of us
    timing_mark,    // DO TIMING-MARK, RFC 860
    are_you_there,  // AYT
    subnegotiation, // SB: what follows up to IAC SE is the option's own
    end             // SE
};

/// What stands behind an IAC.
struct TelnetCommand {
    enum class Kind : std::uint8_t { unfinished, data, command };

    Kind kind;
    std::size_t size = 0; // in bytes, with the IAC; of data: how many are data
    TelnetAsk ask = TelnetAsk::nothing;
    char option = 0; // of will and do_it
};

/// `bytes` begins with IAC. IAC IAC is data (a byte 0xFF), and so is an IAC behind which no command
/// stands: it is one byte of data then.
[[nodiscard]] TelnetCommand read_telnet_command(std::string_view bytes);

/// Whether `byte`, behind an IAC, is a command.
[[nodiscard]] bool is_telnet_command(char byte);

} // namespace roomd
