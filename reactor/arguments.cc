#include "reactor/arguments.h"

#include <span>
#include <string_view>

namespace roomd {

namespace {

bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// `--name` or `-n`, with or without a value behind it. A lone `-` is none.
bool is_option(std::string_view argument) {
    const bool is_short = argument.size() >= 2 && is_letter(argument[1]);
    const bool is_long = argument.size() >= 3 && argument[1] == '-' && is_letter(argument[2]);
    return argument.starts_with('-') && (is_short || is_long);
}

/// `-n` stands alone or before its value; `-nann` has it already.
bool wants_more(std::string_view option) {
    return option.find('=') == std::string_view::npos && (option[1] == '-' || option.size() == 2);
}

} // namespace

std::string empty_value(int argc, const char* const* argv) {
    std::string_view option; // the argument before, if it is one that may want a value
    const std::span<const char* const> arguments(argv, static_cast<std::size_t>(argc));
    for (const std::string_view argument : arguments.subspan(argc > 0 ? 1 : 0)) {
        if (argument == "--") {
            break;
        }
        if (argument.empty() && !option.empty()) {
            return std::string(option) + " is followed by an empty argument: give it a value, or "
                                         "leave it out";
        }
        if (is_option(argument) && argument.ends_with('=') &&
            argument.find('=') == argument.size() - 1) {
            return std::string(argument.substr(0, argument.size() - 1)) +
                   " has nothing behind its '=': give it a value, or leave it out";
        }
        option = is_option(argument) && wants_more(argument) ? argument : std::string_view();
    }
    return {};
}

} // namespace roomd
