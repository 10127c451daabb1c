// AdminCommand — one line of the admin socket, understood.
//
// A value; the parser is a pure function and keeps nothing of the line. What the commands do is the
// operator's.
#pragma once

#include "reactor/time.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace roomd {

/// Longest command line, without its end.
inline constexpr std::size_t admin_line_bytes_max = 256;
/// How long a drain may be spread.
inline constexpr std::uint64_t drain_over_ms_max = 3'600'000;

struct AdminCommand {
    enum class Verb : std::uint8_t { help, status, reload, upgrade, drain, lockdown };
    Verb verb = Verb::help;
    bool on = false;                          // lockdown
    Duration over = std::chrono::seconds(10); // drain
};

/// The word of it, as it is written. Static storage.
[[nodiscard]] std::string_view word_of(AdminCommand::Verb verb);

/// `status`, `reload`, `upgrade`, `drain [TIME]`, `lockdown on|off`, `help`; a carriage return at
/// the end and spaces between words do not matter. Else one sentence with what would be right.
[[nodiscard]] std::variant<AdminCommand, std::string> parse_admin_command(std::string_view line);

/// What `help` answers, a line each.
[[nodiscard]] std::string_view admin_help();

} // namespace roomd
