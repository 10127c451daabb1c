// Texts that say about themselves who said them, where, as which number, and when they were meant
// to be said: so a receiver of any format can tell that it hears everything once and in order.
//
// Pure functions. Every byte behind the stamp follows from it, so a text that was cut, mixed with
// another or damaged is not taken for one of ours.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace roomd::continuity {

struct Stamp {
    std::uint32_t room = 0;
    std::uint32_t speaker = 0;     // number of the connection
    std::uint32_t number = 0;      // of this speaker in this room, from 1
    std::uint64_t intended_us = 0; // since the run began
    bool timely = true;            // false: sent in pieces on purpose; its latency says nothing
};

/// Appends a text of printable ASCII of 30 to some 3,950 bytes, nearly all below 120.
void write_text(std::string& out, const Stamp& stamp);

/// False: this is no text of ours, or not all of it.
[[nodiscard]] bool read_text(std::string_view text, Stamp& stamp);

/// The room's name, and back; false: no room of ours.
[[nodiscard]] std::string room_name(std::uint32_t room);
[[nodiscard]] bool read_room(std::string_view name, std::uint32_t& room);

/// A decimal number that is all of `text`.
[[nodiscard]] bool read_number(std::string_view text, std::uint64_t& number);

/// The beginning of a text, quoted, for a report.
[[nodiscard]] std::string quoted(std::string_view text);

} // namespace roomd::continuity
