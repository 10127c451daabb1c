// utf8 — one character at a time, the one place that knows which bytes are UTF-8 (RFC 3629).
//
// Internal to protocol/. Refuses what the RFC refuses: overlong forms, surrogates, anything above
// U+10FFFF, stray and missing continuation bytes. Pure, allocates nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace roomd {

/// bytes == 0: what stands at the front is not UTF-8 (or nothing stands there).
struct Character {
    char32_t code_point;
    std::size_t bytes;
};

namespace utf8_detail {

[[nodiscard]] constexpr std::uint32_t byte_at(std::string_view bytes, std::size_t index) {
    return static_cast<unsigned char>(bytes[index]);
}

[[nodiscard]] constexpr bool is_continuation(std::uint32_t byte) {
    return (byte & 0xC0U) == 0x80U;
}

/// Not overlong (a shorter form would do), no surrogate, not above the last one.
[[nodiscard]] constexpr bool is_in_range(std::uint32_t point, std::size_t size) {
    if (size == 3) {
        return point >= 0x800U && (point < 0xD800U || point > 0xDFFFU);
    }
    return size == 2 || (point >= 0x10000U && point <= 0x10FFFFU);
}

} // namespace utf8_detail

/// The first character of `bytes`.
[[nodiscard]] constexpr Character first_character(std::string_view bytes) {
    using utf8_detail::byte_at;
    constexpr Character bad{0, 0};
    const std::uint32_t lead = bytes.empty() ? 0xFFU : byte_at(bytes, 0);
    if (lead < 0x80U) {
        return {lead, 1};
    }
    if (lead < 0xC2U || lead > 0xF4U) {
        return bad;
    }
    const std::size_t size = lead < 0xE0U ? 2 : lead < 0xF0U ? 3 : 4;
    if (bytes.size() < size) {
        return bad;
    }
    std::uint32_t point = lead & (0x7FU >> size);
    for (std::size_t index = 1; index < size; ++index) {
        const std::uint32_t next = byte_at(bytes, index);
        if (!utf8_detail::is_continuation(next)) {
            return bad;
        }
        point = (point << 6U) | (next & 0x3FU);
    }
    return utf8_detail::is_in_range(point, size) ? Character{point, size} : bad;
}

} // namespace roomd
