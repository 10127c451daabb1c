// words — a payload taken apart at its spaces.
//
// Internal to protocol/: commands and events are split by the same rule, one space between two
// words. Pure, allocation-free; all views are views into what was given.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <system_error>

namespace roomd {

/// Takes the arguments of a command apart, word by word.
class Words {
public:
    /// Of a command all of whose arguments are words: spaces at the end mean nothing.
    [[nodiscard]] static Words only(std::string_view rest) {
        return Words{rest.substr(0, rest.find_last_not_of(' ') + 1)};
    }

    /// Of a command whose last argument is the rest.
    [[nodiscard]] static Words and_rest(std::string_view rest) { return Words{rest}; }

    [[nodiscard]] bool empty() const { return !more_; }

    /// The next word. Two spaces in a row make an empty word, which no argument accepts.
    std::string_view word() {
        const std::size_t space = rest_.find(' ');
        const std::string_view found = rest_.substr(0, space);
        more_ = space != std::string_view::npos;
        rest_.remove_prefix(more_ ? space + 1 : rest_.size());
        return found;
    }

    /// Everything that is left, byte for byte.
    [[nodiscard]] std::string_view rest() const { return rest_; }

private:
    explicit Words(std::string_view rest) : rest_(rest), more_(!rest.empty()) {}

    std::string_view rest_;
    bool more_;
};

/// A decimal number and nothing else; no sign, no overflow.
[[nodiscard]] inline std::optional<std::uint64_t> number(std::string_view word) {
    std::uint64_t value = 0;
    const char* const end = word.data() + word.size();
    const auto [stopped, error] = std::from_chars(word.data(), end, value);
    const bool good = !word.empty() && error == std::errc{} && stopped == end;
    return good ? std::optional{value} : std::nullopt;
}

[[nodiscard]] inline std::optional<bool> on_or_off(std::string_view word) {
    if (word == "on" || word == "off") {
        return word == "on";
    }
    return std::nullopt;
}

/// Removes `prefix` from the front of `word`; false, and nothing changed, if it is not there.
inline bool take(std::string_view& word, std::string_view prefix) {
    if (!word.starts_with(prefix)) {
        return false;
    }
    word.remove_prefix(prefix.size());
    return true;
}

} // namespace roomd
