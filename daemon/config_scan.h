// config_scan — what is looked at in a configuration file before toml++ may see it.
//
// toml++ 3.3 runs into undefined behaviour at letters beyond ASCII outside of strings and comments,
// where TOML 1.0 allows none anyway. Pure; knows strings and comments, and nothing else of TOML.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace roomd {

/// Counted from 1; columns in characters, as toml++ counts them.
struct TextPosition {
    std::size_t line;
    std::size_t column;
};

/// The first byte above 0x7f that stands in neither a string nor a comment. Exact for all that
/// comes before the file's first error, which is as far as a parser gets. Linear.
[[nodiscard]] std::optional<TextPosition> find_beyond_ascii(std::string_view text);

} // namespace roomd
