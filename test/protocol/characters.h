// characters — code points that must never reach a terminal, and how to write any of them.
//
// For tests. The list is written down here once more, independently of protocol/text.cc.
#pragma once

#include "protocol/utf8.h"

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace roomd::test {

/// UTF-8 by the letter of the encoding, also for what is no character (surrogates, above U+10FFFF).
inline std::string encoded(char32_t point) {
    const auto byte = [](char32_t value) { return static_cast<char>(value); };
    const auto rest = [&](unsigned shift) { return byte(0x80 | ((point >> shift) & 0x3F)); };
    if (point < 0x80) {
        return {byte(point)};
    }
    if (point < 0x800) {
        return {byte(0xC0 | (point >> 6)), rest(0)};
    }
    if (point < 0x10000) {
        return {byte(0xE0 | (point >> 12)), rest(6), rest(0)};
    }
    return {byte(0xF0 | (point >> 18)), rest(12), rest(6), rest(0)};
}

/// The 65 control characters but NUL, which no text holds, and TAB, which is kept; and everything
/// that turns the direction of writing around or breaks a line.
inline std::vector<char32_t> hidden_points() {
    std::vector<char32_t> points;
    for (char32_t point = 1; point < 0xA0; ++point) {
        if (point != '\t' && (point < 0x20 || point >= 0x7F)) {
            points.push_back(point);
        }
    }
    for (const char32_t point :
         std::initializer_list<char32_t>{0x061C, 0x200E, 0x200F, 0x2028, 0x2029, 0x202A, 0x202B,
                                         0x202C, 0x202D, 0x202E, 0x2066, 0x2067, 0x2068, 0x2069}) {
        points.push_back(point);
    }
    return points;
}

/// Valid UTF-8 without any of them, and without NUL.
inline bool shows_nothing_hidden(std::string_view text) {
    static const std::vector<char32_t> hidden = hidden_points();
    while (!text.empty()) {
        const Character character = first_character(text);
        if (character.bytes == 0 || character.code_point == 0) {
            return false;
        }
        for (const char32_t point : hidden) {
            if (character.code_point == point) {
                return false;
            }
        }
        text.remove_prefix(character.bytes);
    }
    return true;
}

} // namespace roomd::test
