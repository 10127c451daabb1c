// StatusView — what a roomd says of itself (`name value` lines), for people and for programs.
//
// A value and two ways to write it. Knows the names it lays out for people; those it does not know,
// of a newer roomd, are shown as they came, and in JSON all are.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace roomd {

class StatusView {
public:
    /// One line: a name, a space, a value. `listener` comes once for each.
    void add(std::string_view line);

    /// The value of a name; empty if it was not said.
    [[nodiscard]] std::string_view value_of(std::string_view name) const;

    /// Some lines, each with its end.
    [[nodiscard]] std::string as_text() const;

    /// One object on one line with its end: numbers are numbers, `framing.line` is `line` in the
    /// object `framing`, and listeners are a list of objects with `address` and `uri`.
    [[nodiscard]] std::string as_json() const;

private:
    [[nodiscard]] std::string group(std::string_view prefix) const;
    [[nodiscard]] std::string json_group(std::string_view part) const;
    [[nodiscard]] std::string json_listeners() const;

    std::vector<std::pair<std::string, std::string>> entries_;
};

} // namespace roomd
