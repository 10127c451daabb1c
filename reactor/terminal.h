// terminal — what a terminal does to the lines that are typed or pasted at it.
//
// A number of the system, for programs that read lines from a terminal in canonical mode. Owns
// nothing and changes nothing.
#pragma once

#include <cstddef>

namespace roomd::sys {

/// A terminal in canonical mode keeps so many bytes of a line and drops what comes behind them, up
/// to the line's end. A line that has exactly so many by itself cannot be told apart.
[[nodiscard]] std::size_t terminal_line_bytes() noexcept;

} // namespace roomd::sys
