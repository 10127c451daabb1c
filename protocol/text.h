// Text — what a payload may hold, and how it is shown to a terminal.
//
// Pure functions over bytes. Validation is done once, where a payload enters; everything behind
// that relies on it. Escaping is done once, where a text leaves in line framing.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace roomd {

struct TextCheck {
    bool valid;    // UTF-8 (no overlong form, no surrogate, <= U+10FFFF) and no NUL
    bool harmless; // nothing in it that append_visible() would change; only meaningful if valid
};

/// One pass, eight bytes at a time over plain ASCII. RFC 3629. Allocates nothing.
[[nodiscard]] TextCheck check_text(std::string_view bytes);

/// Appends `text` with everything that could drive or deceive a terminal made visible:
///   C0 controls but TAB as ^A .. ^_, DEL as ^?, C1 controls as \x80 .. \x9f,
///   line and paragraph separators and all bidirectional controls (U+061C, U+200E, U+200F,
///   U+2028 .. U+202E, U+2066 .. U+2069) as \u202e.
/// LF is a control: what is appended is always a single line. `text` must be valid UTF-8.
/// Appends at most visible_growth_max times text.size() bytes; linear.
void append_visible(std::string& out, std::string_view text);

/// U+061C is the worst: two bytes become six.
inline constexpr std::size_t visible_growth_max = 3;

/// The longest beginning of `text` (valid UTF-8) of at most `bytes_max` bytes that does not end
/// inside a character. A view into `text`.
[[nodiscard]] std::string_view cut_at_character(std::string_view text, std::size_t bytes_max);

/// `text` in double quotes, for logs: a JSON string in one line, with everything escaped that
/// append_visible() would show, and quotes and backslashes too. At most `bytes_max` bytes between
/// the quotes, cut between characters; a cut one ends in "...". Bytes that are not UTF-8 become
/// \ufffd.
[[nodiscard]] std::string quoted(std::string_view text, std::size_t bytes_max);

} // namespace roomd
