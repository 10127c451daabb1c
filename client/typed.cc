#include "client/typed.h"

#include <algorithm>
#include <array>

namespace roomd {

namespace {

struct Alias {
    std::string_view typed;
    std::string_view verb;
};

constexpr std::array aliases = {
    Alias{"/j", "/join"},     Alias{"/part", "/leave"}, Alias{"/names", "/who"},
    Alias{"/list", "/rooms"}, Alias{"/w", "/msg"},      Alias{"/exit", "/quit"},
    Alias{"/q", "/quit"},
};

std::string_view verb_for(std::string_view word) {
    const auto* const found = std::find_if(
        aliases.begin(), aliases.end(), [word](const Alias& alias) { return alias.typed == word; });
    return found == aliases.end() ? word : found->verb;
}

} // namespace

Typed understand_typed(std::string_view line) {
    if (line.empty()) {
        return {TypedKind::nothing, {}};
    }
    if (line == "quit") {
        return {TypedKind::leave, "/quit"};
    }
    if (line == "/help" || line == "/?") {
        return {TypedKind::help, {}};
    }
    const std::string_view word = line.substr(0, line.find(' '));
    const std::string_view verb = verb_for(word);
    if (verb == "/hello" || verb == "/format") {
        return {TypedKind::refused, "room speaks events with roomd and cannot change that: use nc"};
    }
    std::string payload{verb};
    payload += line.substr(word.size());
    return {verb == "/quit" ? TypedKind::leave : TypedKind::payload, std::move(payload)};
}

std::string payload_saying(std::string_view text) {
    std::string payload{text.starts_with('/') ? "/" : ""};
    payload += text;
    return payload;
}

} // namespace roomd
