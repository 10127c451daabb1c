// work — what the hub's work costs, in units of about 10 ns on the machine of bench/README.md.
//
// The hub adds units where the work happens and gives the sum away in Hub::take_work(); whoever
// asked pays, and whoever has sent something pays for its reading. The numbers are estimates,
// rounded up. They are constants and not measurements, so that a seed of the simulator replays
// every decision. Sending is not in here: the flush has a budget of its own.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace roomd::work {

inline constexpr std::uint64_t command = 10;     // a command is dispatched and its room is found
inline constexpr std::uint64_t room_walked = 1;  // a room of one member is looked at
inline constexpr std::uint64_t seat_walked = 2;  // a seat is given its window of a run
inline constexpr std::uint64_t piece_served = 4; // a window for one seat alone, found by marks
inline constexpr std::uint64_t list_item = 4;    // a name in /who or /rooms
inline constexpr std::uint64_t slot_walked = 1;  // a slot of a table that holds nothing to list
inline constexpr std::uint64_t entry_read = 3;   // a message found in a history
inline constexpr std::uint64_t room_made = 100;  // the largest allocation that a client causes

/// An event of `bytes` bytes is written once: fields, then the text at some 3 bytes a nanosecond
/// (escaped in line framing: slower, but then it is short).
[[nodiscard]] constexpr std::uint64_t encode(std::size_t bytes) {
    return 5 + bytes / 32;
}

/// The kernel's part of reading: some half a microsecond a call, and 0.15 ns a byte.
[[nodiscard]] constexpr std::uint64_t read(std::size_t bytes) {
    return 50 + bytes / 64;
}

/// A portion of an answer is copied to its queue and written to the kernel: memory that no cache
/// holds, some 2.5 ns a byte.
[[nodiscard]] constexpr std::uint64_t hand_over(std::size_t bytes) {
    return bytes / 4;
}

/// A name is checked, normalised and folded. ASCII goes by a table; the rest through utf8proc, of
/// which a byte of combining marks costs some 120 ns.
[[nodiscard]] inline std::uint64_t name(std::string_view text) {
    const bool ascii = std::all_of(text.begin(), text.end(),
                                   [](char byte) { return static_cast<signed char>(byte) >= 0; });
    return ascii ? 3 + text.size() / 16 : 20 + text.size() * 12;
}

} // namespace roomd::work
