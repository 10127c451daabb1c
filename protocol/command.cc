#include "protocol/command.h"

#include "protocol/command_parsers.h"
#include "protocol/limits.h"
#include "protocol/text.h"

#include <algorithm>
#include <array>
#include <type_traits>

namespace roomd {

namespace {

/// `misuse` is "usage: " and the usage, so that an error needs no text of its own.
constexpr CommandRow row(std::string_view verb, std::string_view misuse, std::string_view help,
                         decltype(CommandRow::parse) parse, bool debug = false) {
    constexpr std::string_view lead = "usage: ";
    return {verb, misuse.substr(lead.size()), help, debug, parse, misuse};
}

namespace parse = command_parsers;

constexpr std::array table = {
    row("hello", "usage: /hello 1 [nick=N] [echo=on|off] [ack=on|off]",
        "Speak events: for programs.", parse::parse_hello),
    row("format", "usage: /format human|plain|event", "Change how answers look.",
        parse::parse_format),
    row("nick", "usage: /nick NAME", "Take a name.", parse::parse_nick),
    row("join", "usage: /join ROOM [since=EPOCH:ID | last=N]",
        "Enter a room and make it the current one.", parse::parse_join),
    row("leave", "usage: /leave [ROOM]", "Leave a room; the one joined before becomes current.",
        parse::parse_leave),
    row("say", "usage: /say ROOM TEXT", "Say something in a room you are in.", parse::parse_say),
    row("me", "usage: /me TEXT", "Say what you do, in the current room.", parse::parse_me),
    row("msg", "usage: /msg NICK TEXT", "Say something to one person only.", parse::parse_msg),
    row("topic", "usage: /topic [ROOM [TEXT]]", "Read or set the topic of a room.",
        parse::parse_topic),
    row("who", "usage: /who [ROOM]", "List who is in a room.", parse::parse_who),
    row("rooms", "usage: /rooms", "List the rooms and how many are in each.", parse::parse_rooms),
    row("history", "usage: /history [ROOM] [since=EPOCH:ID | last=N]", "Show what was said.",
        parse::parse_history),
    row("ping", "usage: /ping [TOKEN]", "Ask whether the server is there.", parse::parse_ping),
    row("stats", "usage: /stats", "Show the counters of this connection and of the server.",
        parse::parse_stats),
    row("help", "usage: /help [COMMAND]", "Show the commands, or one of them.", parse::parse_help),
    row("ignore", "usage: /ignore NICK [off]", "Do not hear what somebody says to you alone.",
        parse::parse_ignore),
    row("ignores", "usage: /ignores", "List whom you ignore.", parse::parse_ignores),
    row("quit", "usage: /quit [TEXT]", "Leave all rooms and close the connection.",
        parse::parse_quit),
    row("trace", "usage: /trace on|off", "Show each payload in both directions as it was framed.",
        parse::parse_trace, true),
    row("conns", "usage: /conns", "List all connections.", parse::parse_conns, true),
};

} // namespace

std::span<const CommandRow> command_table() {
    return table;
}

const CommandRow* find_command(std::string_view verb) {
    const auto* const found =
        std::find_if(table.begin(), table.end(),
                     [verb](const CommandRow& command) { return command.verb == verb; });
    return found == table.end() ? nullptr : found;
}

bool is_aside(std::string_view payload) {
    static constexpr std::array<std::string_view, 4> verbs = {"ping", "stats", "help", "quit"};
    return payload.starts_with('/') &&
           std::any_of(verbs.begin(), verbs.end(), [payload](std::string_view verb) {
               return payload.substr(1, verb.size()) == verb &&
                      (payload.size() == verb.size() + 1 || payload[verb.size() + 1] == ' ');
           });
}

std::string_view verb_of(const Command& command) {
    // In the order of the variant's alternatives; a test parses each usage and compares.
    static constexpr std::array<std::string_view, std::variant_size_v<Command>> verbs = {
        "say",   "hello", "format", "nick",    "join",  "leave",   "say",
        "me",    "msg",   "topic",  "who",     "rooms", "history", "ping",
        "stats", "help",  "ignore", "ignores", "quit",  "trace",   "conns"};
    return verbs.at(command.index());
}

std::variant<Command, BadCommand> parse_command(std::string_view payload) {
    if (payload.empty()) {
        return BadCommand{"say", ErrorCode::bad_command, "there is nothing to say"};
    }
    if (!payload.starts_with('/') || payload.starts_with("//")) {
        const std::string_view text = payload.substr(payload.starts_with('/') ? 1 : 0);
        if (text.size() > text_bytes_ceiling) {
            return BadCommand{"say", ErrorCode::too_large, parse::why_text_large};
        }
        return Command{Text{text}};
    }
    const std::string_view line = payload.substr(1);
    const std::size_t space = line.find(' ');
    const bool has_rest = space != std::string_view::npos;
    const std::string_view verb = line.substr(0, space);
    const CommandRow* const command = find_command(verb);
    if (command == nullptr) {
        // Without a word behind it the slash itself is what is not known.
        const std::string_view shown = verb.empty() ? "/" : cut_at_character(verb, verb_bytes_max);
        return BadCommand{shown, ErrorCode::bad_command, "no such command; /help shows them all"};
    }
    auto result = command->parse(has_rest ? line.substr(space + 1) : std::string_view{}, has_rest);
    if (auto* const bad = std::get_if<BadCommand>(&result)) {
        bad->verb = command->verb;
        bad->why = bad->why.empty() ? command->misuse : bad->why;
    }
    return result;
}

} // namespace roomd
