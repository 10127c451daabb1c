// Command — what a client asks, parsed into views of its payload.
//
// One table (command_table) holds verb, usage, help and parser of every command; HELP,
// PROTOCOL.md's table (a test compares them) and the client's completion come from it. Adding a
// command: one row, one struct here, one branch where commands are run; std::visit makes the
// compiler name what was forgotten. Pure: no descriptor, no clock. Views are valid as long as the
// payload.
#pragma once

#include "protocol/error_code.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <variant>

namespace roomd {

enum class Format : std::uint8_t { human, plain, event };

/// since=EPOCH:ID or last=N of /join and /history; none = neither.
struct Since {
    std::string_view epoch;
    std::uint64_t id;
};

struct Last {
    std::uint64_t count;
};

using ReplayFrom = std::variant<std::monostate, Since, Last>;

// clang-format off
struct Text { std::string_view text; }; // said in the current room; "//x" says "/x"
struct Hello {
    std::uint64_t version; // always protocol_version: others are bad_command
    std::optional<std::string_view> nick;
    std::optional<bool> echo;
    std::optional<bool> ack;
};
struct SetFormat { Format format; };
struct SetNick { std::string_view nick; };
struct Join { std::string_view room; ReplayFrom from; };
struct Leave { std::optional<std::string_view> room; };
struct Say { std::string_view room; std::string_view text; };
struct Me { std::string_view text; };
struct Msg { std::string_view nick; std::string_view text; };
// An empty text clears the topic, none asks for it.
struct Topic { std::optional<std::string_view> room; std::optional<std::string_view> text; };
struct Who { std::optional<std::string_view> room; };
struct Rooms {};
struct History { std::optional<std::string_view> room; ReplayFrom from; };
struct Ping { std::string_view token; }; // at most token_bytes_max
struct Stats {};
struct Help { std::optional<std::string_view> command; }; // without '/'
struct Ignore { std::string_view nick; bool on; };
struct Ignores {};
struct Quit { std::string_view text; }; // cut to reason_bytes_max
struct Trace { bool on; };
struct Conns {};

// clang-format on

using Command =
    std::variant<Text, Hello, SetFormat, SetNick, Join, Leave, Say, Me, Msg, Topic, Who, Rooms,
                 History, Ping, Stats, Help, Ignore, Ignores, Quit, Trace, Conns>;

/// `verb`: the word behind '/', or "say" for a payload that is no command; for the err reply.
/// `why`: static text, names the usage.
struct BadCommand {
    std::string_view
        verb;       // never empty; static, or a view of at most verb_bytes_max of the payload
    ErrorCode code; // bad_command, or too_large for a text over its limit
    std::string_view why;
};

struct CommandRow {
    std::string_view verb;
    std::string_view usage; // "/join ROOM [since=EPOCH:ID | last=N]"
    std::string_view help;  // one sentence
    bool debug;             // only on listeners marked debug=on
    std::variant<Command, BadCommand> (*parse)(std::string_view rest, bool has_rest);
    std::string_view misuse; // "usage: " and the usage: why a command was refused
};

[[nodiscard]] std::span<const CommandRow> command_table();

/// The row of `verb` (without '/'), or nullptr.
[[nodiscard]] const CommandRow* find_command(std::string_view verb);

/// Hardly anybody but its sender hears anything of this payload (of /quit: a `part` in small
/// rooms), and the answer is short: /ping, /stats, /help, /quit. It need not wait for what other
/// connections have to say. O(1).
[[nodiscard]] bool is_aside(std::string_view payload);

/// The verb of a parsed command, for replies: "say" for Text.
[[nodiscard]] std::string_view verb_of(const Command& command);

/// `payload` must have passed check_text(). Linear in its size, allocates nothing. Words are
/// separated by one space (spaces behind the last word are ignored); the last argument of /say /msg
/// /me /topic /quit is the rest, byte for byte. Names are not judged here (Name::parse does). An
/// empty text of /say, /me, /msg is bad_command.
[[nodiscard]] std::variant<Command, BadCommand> parse_command(std::string_view payload);

} // namespace roomd
