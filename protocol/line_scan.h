// line_scan — finds the next byte of a line that may mean something: LF, NUL, or telnet's IAC.
//
// Internal to protocol/. One pass over the bytes for all three, eight at a time (Lamport, "Multiple
// byte processing with full-word instructions", 1975). Pure, allocates nothing, reads nothing
// behind the end.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace roomd {

/// "Interpret as command", RFC 854. Never a byte of UTF-8.
inline constexpr char telnet_iac = '\xFF';

namespace line_scan_detail {

inline constexpr std::uint64_t each_byte = 0x0101010101010101U; // times b: b in every byte
inline constexpr std::uint64_t high_bits = each_byte * 0x80U;

/// A special byte is below this, or not ASCII.
inline constexpr std::uint64_t special_below = '\n' + 1;

[[nodiscard]] constexpr bool is_special(char byte) {
    return byte == '\n' || byte == '\0' || byte == telnet_iac;
}

/// False for most of what people write, in three operations; true where it is worth a second look.
[[nodiscard]] constexpr bool may_hold_special(std::uint64_t word) {
    return (((word - each_byte * special_below) | word) & high_bits) != 0;
}

/// The high bit of each special byte of `word`, and perhaps of bytes of more weight than the first
/// of them.
[[nodiscard]] constexpr std::uint64_t special_bits(std::uint64_t word) {
    const std::uint64_t newline = word ^ (each_byte * '\n');
    const std::uint64_t iac = ~word;
    return (((word - each_byte) & ~word) | ((newline - each_byte) & ~newline) |
            ((iac - each_byte) & ~iac)) &
           high_bits;
}

} // namespace line_scan_detail

/// The place of the first special byte at or behind `from`; the size of `bytes` if there is none.
[[nodiscard]] inline std::size_t find_special(std::string_view bytes, std::size_t from) {
    using namespace line_scan_detail;
    std::size_t at = from;
    for (; bytes.size() - at >= sizeof(std::uint64_t); at += sizeof(std::uint64_t)) {
        std::uint64_t word = 0;
        std::memcpy(&word, bytes.data() + at, sizeof word);
        if (!may_hold_special(word)) {
            continue;
        }
        if (const std::uint64_t found = special_bits(word); found != 0) {
            if constexpr (std::endian::native == std::endian::little) {
                return at + static_cast<std::size_t>(std::countr_zero(found)) / 8;
            } else {
                break;
            }
        }
    }
    while (at < bytes.size() && !is_special(bytes[at])) {
        ++at;
    }
    return at;
}

} // namespace roomd
