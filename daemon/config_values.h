// config_values — how a person writes a number, a size, a time, a switch; and what they may have
// meant.
//
// Pure functions over text, shared by flags, environment and file, so that `64KiB` means the same
// in all three. Never throws, never knows which setting it serves.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace roomd {

/// What a plain number means, and which suffixes may stand behind one.
enum class Unit : std::uint8_t {
    count,        // 10, 10_000
    bytes,        // 65536, 64KiB, 1MiB, 1GiB; 64kB, 1MB, 1GB are thousands
    milliseconds, // 500, 500ms, 10s, 2m, 1h
    seconds       // 10, 10s, 2m, 1h
};

/// Digits, with '_' between them if liked, and a suffix of the unit. Nothing for signs, fractions,
/// spaces, unknown suffixes, overflow, or 1500ms where seconds are wanted.
[[nodiscard]] std::optional<std::uint64_t> parse_number(std::string_view text, Unit unit);

/// The shortest way to write it: 65536 bytes are 64KiB. parse_number() gives it back.
[[nodiscard]] std::string print_number(std::uint64_t value, Unit unit);

/// "a size in bytes, such as 65536, 64KiB or 1MiB": what a message asks for.
[[nodiscard]] std::string_view example_of(Unit unit);

/// on/off, true/false, yes/no, 1/0.
[[nodiscard]] std::optional<bool> parse_switch(std::string_view text);

/// `text` as a TOML basic string, quotes included, on one line. `text` must be valid UTF-8.
[[nodiscard]] std::string toml_string(std::string_view text);

/// "; did you mean X?" for the candidate nearest to `word`, or nothing if none is near.
[[nodiscard]] std::string did_you_mean(std::string_view word,
                                       const std::vector<std::string>& candidates);

} // namespace roomd
