// command_parsers — one function for the arguments of each command; the table in command.cc names
// them.
//
// Internal to protocol/. `rest` is what stands behind the verb and its space, `has_rest` whether
// that space was there. A BadCommand leaves the verb empty, and `why` where the usage says enough:
// parse_command() writes them in. Pure, allocation-free, linear; views into `rest`.
#pragma once

#include "protocol/command.h"

#include <string_view>
#include <variant>

namespace roomd::command_parsers {

using Result = std::variant<Command, BadCommand>;

inline constexpr std::string_view why_text_large = "a text this long does not fit a frame";

[[nodiscard]] Result parse_hello(std::string_view rest, bool has_rest);
[[nodiscard]] Result parse_format(std::string_view rest, bool has_rest);
[[nodiscard]] Result parse_nick(std::string_view rest, bool has_rest);
[[nodiscard]] Result parse_join(std::string_view rest, bool has_rest);
[[nodiscard]] Result parse_leave(std::string_view rest, bool has_rest);
[[nodiscard]] Result parse_say(std::string_view rest, bool has_rest);
[[nodiscard]] Result parse_me(std::string_view rest, bool has_rest);
[[nodiscard]] Result parse_msg(std::string_view rest, bool has_rest);
[[nodiscard]] Result parse_topic(std::string_view rest, bool has_rest);
[[nodiscard]] Result parse_who(std::string_view rest, bool has_rest);
[[nodiscard]] Result parse_rooms(std::string_view rest, bool has_rest);
[[nodiscard]] Result parse_history(std::string_view rest, bool has_rest);
[[nodiscard]] Result parse_ping(std::string_view rest, bool has_rest);
[[nodiscard]] Result parse_stats(std::string_view rest, bool has_rest);
[[nodiscard]] Result parse_help(std::string_view rest, bool has_rest);
[[nodiscard]] Result parse_ignore(std::string_view rest, bool has_rest);
[[nodiscard]] Result parse_ignores(std::string_view rest, bool has_rest);
[[nodiscard]] Result parse_quit(std::string_view rest, bool has_rest);
[[nodiscard]] Result parse_trace(std::string_view rest, bool has_rest);
[[nodiscard]] Result parse_conns(std::string_view rest, bool has_rest);

} // namespace roomd::command_parsers
