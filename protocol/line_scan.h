// line_scan — finds the next byte of a line that may mean something: LF, NUL, or telnet's IAC.
//
// Internal to protocol/. One pass over the bytes for all three, so that a line costs what a search
// for its LF alone would cost. Pure, allocates nothing, reads nothing behind the end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#if defined(__SSE2__)
#include <bit>

#include <emmintrin.h>
#endif

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
#if defined(__SSE2__)
    const __m128i newline = _mm_set1_epi8('\n');
    const __m128i iac = _mm_set1_epi8(telnet_iac);
    for (; bytes.size() - at >= sizeof(__m128i); at += sizeof(__m128i)) {
        const void* const place = bytes.data() + at;
        const __m128i block = _mm_loadu_si128(static_cast<const __m128i*>(place));
        const __m128i found =
            _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(block, newline), _mm_cmpeq_epi8(block, iac)),
                         _mm_cmpeq_epi8(block, _mm_setzero_si128()));
        const auto mask = static_cast<std::uint32_t>(_mm_movemask_epi8(found));
        if (mask != 0) {
            return at + static_cast<std::size_t>(std::countr_zero(mask));
        }
    }
#endif
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
