// typed — what a person's line at the terminal means.
//
// Pure. Knows the words that `room` adds to roomd's commands: `quit` alone on a line, and the names
// that people bring along from other chats. Everything else goes to roomd as it was typed, which
// says what it does not know. From a pipe nothing is typed: there, every line is text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace roomd {

enum class TypedKind : std::uint8_t {
    nothing, // an empty line
    payload, // for roomd
    leave,   // goodbye; the payload says it
    help,    // the list of commands, which needs no answer
    refused  // `room` itself needs this command for its work; the payload says why not
};

struct Typed {
    TypedKind kind;
    std::string payload;
};

[[nodiscard]] Typed understand_typed(std::string_view line);

/// A line of a pipe as the payload that says it: what looks like a command is only text.
[[nodiscard]] std::string payload_saying(std::string_view text);

} // namespace roomd
