// ErrorCode — every word with which roomd refuses something or ends a connection.
//
// One word, one meaning, everywhere: the reply to a command, the `bye`, the log field, the counter
// and the reason of a part all use `word(code)`. A plain value; owns nothing.
#pragma once

#include <cstdint>
#include <string_view>

namespace roomd {

enum class ErrorCode : std::uint8_t {
    too_large,
    bad_frame,
    bad_utf8,
    bad_command,
    bad_name,
    name_taken,
    no_room,
    not_in_room,
    no_nick,
    too_many_rooms,
    rate_limited,
    no_permission,
    slow,
    idle,
    full,
    shutting_down,
    internal,
};

/// The word on the wire, e.g. "too_large". Static storage.
[[nodiscard]] std::string_view word(ErrorCode code);

} // namespace roomd
