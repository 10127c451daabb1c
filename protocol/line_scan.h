// line_scan — finds the next byte of a line that may mean something: LF, NUL, or telnet's IAC.
//
// Internal to protocol/. One pass over the bytes for all three, eight at a time (Lamport, "Multiple
// byte processing with full-word instructions", 1975). Pure, allocates nothing, reads nothing
// behind the end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace roomd {

/// "Interpret as command", RFC 854. Never a byte of UTF-8.
inline constexpr char telnet_iac = '\xFF';

namespace line_scan_detail {

[[nodiscard]] constexpr bool is_special(char byte) {
    return byte == '\n' || byte == '\0' || byte == telnet_iac;
}

/// Whether one of eight bytes is special. No false answer, whatever the order of bytes.
[[nodiscard]] constexpr bool has_special(std::uint64_t word) {
    constexpr std::uint64_t each = 0x0101010101010101U;
    constexpr std::uint64_t high = each * 0x80U;
    const std::uint64_t newline = word ^ (each * 0x0AU);
    const std::uint64_t iac = ~word;
    return ((((word - each) & ~word) | ((newline - each) & ~newline) | ((iac - each) & ~iac)) &
            high) != 0;
}

} // namespace line_scan_detail

/// The place of the first special byte at or behind `from`; the size of `bytes` if there is none.
[[nodiscard]] inline std::size_t find_special(std::string_view bytes, std::size_t from) {
    std::size_t at = from;
    for (; bytes.size() - at >= sizeof(std::uint64_t); at += sizeof(std::uint64_t)) {
        std::uint64_t word = 0;
        std::memcpy(&word, bytes.data() + at, sizeof word);
        if (line_scan_detail::has_special(word)) {
            break;
        }
    }
    while (at < bytes.size() && !line_scan_detail::is_special(bytes[at])) {
        ++at;
    }
    return at;
}

} // namespace roomd
