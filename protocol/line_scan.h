// line_scan — finds the next byte of a line that may mean something: LF, NUL, or telnet's IAC.
//
// Internal to protocol/. One pass over the bytes for all three, vectors of sixteen and the rest
// eight at a time (Lamport, "Multiple byte processing with full-word instructions", 1975). Pure,
// allocates nothing, reads nothing behind the end.
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

/// A vector that gcc and clang compare at once, on every processor that has such registers
/// (GCC manual, "Vector Extensions").
using Bytes16 = unsigned char __attribute__((vector_size(16)));

/// Whether one of the `Count` vectors of bytes at `from` holds a special one.
template <std::size_t Count>
[[nodiscard]] bool holds_special(const char* from) {
    Bytes16 found = {};
    for (std::size_t index = 0; index < Count; ++index) {
        Bytes16 bytes;
        std::memcpy(&bytes, from + index * sizeof bytes, sizeof bytes);
        found |= (bytes == '\n') | (bytes == 0) | (bytes == 0xFF);
    }
    std::uint64_t halves[2]; // NOLINT: what a vector is copied to
    std::memcpy(halves, &found, sizeof halves);
    return (halves[0] | halves[1]) != 0;
}

/// The first place at or behind `at` from which `Count` vectors hold a special byte, or go beyond
/// the end.
template <std::size_t Count>
[[nodiscard]] std::size_t skip_vectors(std::string_view bytes, std::size_t at) {
    constexpr std::size_t step = Count * sizeof(Bytes16);
    while (bytes.size() - at >= step && !holds_special<Count>(bytes.data() + at)) {
        at += step;
    }
    return at;
}

} // namespace line_scan_detail

/// The place of the first special byte at or behind `from`; the size of `bytes` if there is none.
[[nodiscard]] inline std::size_t find_special(std::string_view bytes, std::size_t from) {
    using namespace line_scan_detail;
    std::size_t at = skip_vectors<1>(bytes, skip_vectors<4>(bytes, from));
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
