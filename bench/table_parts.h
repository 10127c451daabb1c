// The table for people as text, and the parts of it that are told scenario by scenario.
//
// Pure functions: they return text, at most 100 columns wide, and know the terminal by the
// attributes that they are handed.
#pragma once

#include "bench/report.h"
#include "bench/wording.h"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace roomd::bench {

/// Terminal attributes; all empty where the reader is not a terminal.
struct Ink {
    std::string_view bold;
    std::string_view faint;
    std::string_view good;
    std::string_view bad;
    std::string_view plain;
};

/// Columns that everything below a heading is indented by.
inline constexpr std::size_t table_indent = 4;

/// All of it, as print_table() prints it.
[[nodiscard]] std::string table_text(const Report& report, const Ink& ink);

/// `text` broken at spaces, the first line indented by `first`, the others by `hanging`.
[[nodiscard]] std::string wrapped(std::string_view text, std::size_t first, std::size_t hanging);

/// The median of a figure, without its unit where a header names it.
[[nodiscard]] std::string cell_of(const Figure& figure);

/// One scenario: heading, figures, latency, notes and goals.
[[nodiscard]] std::string group_text(const Rows& rows, const Ink& ink);

/// Where runs failed, and with whom the generator rather than the server set the pace.
[[nodiscard]] std::string notes_text(const Rows& rows, const Ink& ink);

/// A line for each promise: met or not met.
[[nodiscard]] std::string goals_text(const Rows& rows, const Ink& ink);

} // namespace roomd::bench
