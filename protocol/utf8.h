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

} // namespace utf8_detail

/// The first character of `bytes`.
[[nodiscard]] constexpr Character first_character(std::string_view bytes) {
    using utf8_detail::byte_at;
    using utf8_detail::is_continuation;
    constexpr Character bad{0, 0};
    if (bytes.empty()) {
        return bad;
    }
    const std::uint32_t lead = byte_at(bytes, 0);
    if (lead < 0x80U) {
        return {lead, 1};
    }
    if (lead < 0xC2U || lead > 0xF4U || bytes.size() < 2 || !is_continuation(byte_at(bytes, 1))) {
        return bad;
    }
    const std::uint32_t second = byte_at(bytes, 1);
    if (lead < 0xE0U) {
        return {((lead & 0x1FU) << 6U) | (second & 0x3FU), 2};
    }
    if (bytes.size() < 3 || !is_continuation(byte_at(bytes, 2))) {
        return bad;
    }
    const std::uint32_t third = byte_at(bytes, 2);
    if (lead < 0xF0U) {
        const std::uint32_t point =
            ((lead & 0x0FU) << 12U) | ((second & 0x3FU) << 6U) | (third & 0x3FU);
        const bool surrogate = point >= 0xD800U && point <= 0xDFFFU;
        return point < 0x800U || surrogate ? bad : Character{point, 3};
    }
    if (bytes.size() < 4 || !is_continuation(byte_at(bytes, 3))) {
        return bad;
    }
    const std::uint32_t point = ((lead & 0x07U) << 18U) | ((second & 0x3FU) << 12U) |
                                ((third & 0x3FU) << 6U) | (byte_at(bytes, 3) & 0x3FU);
    return point < 0x10000U || point > 0x10FFFFU ? bad : Character{point, 4};
}

} // namespace roomd
