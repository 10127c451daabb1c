#include "protocol/text.h"

#include "protocol/utf8.h"

#include <cstdint>
#include <cstring>

namespace roomd {

namespace {

constexpr std::uint64_t each_byte = 0x0101010101010101U; // times b: b in every byte
constexpr std::uint64_t high_bits = each_byte * 0x80U;

constexpr std::string_view hex_digits = "0123456789abcdef";

/// True if a byte of `word` is below `limit` (at most 0x80). Bytes with the high bit set do not
/// count.
constexpr bool has_byte_below(std::uint64_t word, std::uint64_t limit) {
    return ((word - each_byte * limit) & ~word & high_bits) != 0;
}

/// All bytes are ASCII, none is a control character.
constexpr bool is_plain(std::uint64_t word) {
    return (word & high_bits) == 0 && !has_byte_below(word, 0x20U) &&
           !has_byte_below(word ^ (each_byte * 0x7FU), 1U);
}

/// What append_visible() changes. The first test lets most of what people write pass at once.
constexpr bool is_hidden(char32_t point) {
    if (point < 0xA0) {
        return point < 0x20 ? point != '\t' : point >= 0x7F;
    }
    if (point < 0x2028 || point > 0x2069) {
        return point == 0x061C || point == 0x200E || point == 0x200F;
    }
    return point <= 0x202E || point >= 0x2066;
}

void append_hex(std::string& out, char32_t point, unsigned digits) {
    for (unsigned shift = digits * 4; shift > 0; shift -= 4) {
        out.push_back(hex_digits[(point >> (shift - 4)) & 0xFU]);
    }
}

void append_shown(std::string& out, char32_t point) {
    if (point == 0x7F) {
        out.append("^?");
    } else if (point < 0x20) {
        out.push_back('^');
        out.push_back(static_cast<char>(point + '@'));
    } else if (point < 0xA0) {
        out.append("\\x");
        append_hex(out, point, 2);
    } else {
        out.append("\\u");
        append_hex(out, point, 4);
    }
}

/// One character as it stands inside a JSON string.
void append_json(std::string& out, std::string_view bytes, char32_t point) {
    switch (point) {
    case '"':
        out.append("\\\"");
        return;
    case '\\':
        out.append("\\\\");
        return;
    case '\n':
        out.append("\\n");
        return;
    case '\r':
        out.append("\\r");
        return;
    case '\t':
        out.append("\\t");
        return;
    default:
        break;
    }
    if (is_hidden(point)) {
        out.append("\\u");
        append_hex(out, point, 4);
    } else {
        out.append(bytes);
    }
}

} // namespace

TextCheck check_text(std::string_view bytes) {
    bool harmless = true;
    while (!bytes.empty()) {
        while (bytes.size() >= sizeof(std::uint64_t)) {
            std::uint64_t word = 0;
            std::memcpy(&word, bytes.data(), sizeof word);
            if (!is_plain(word)) {
                break;
            }
            bytes.remove_prefix(sizeof word);
        }
        // Up to eight characters, so that one odd byte does not cost a look at the word again each
        // time.
        for (int count = 0; count < 8 && !bytes.empty(); ++count) {
            const Character character = first_character(bytes);
            if (character.bytes == 0 || character.code_point == 0) {
                return {false, false};
            }
            harmless = harmless && !is_hidden(character.code_point);
            bytes.remove_prefix(character.bytes);
        }
    }
    return {true, harmless};
}

void append_visible(std::string& out, std::string_view text) {
    if (check_text(text).harmless) { // nearly always; and then one copy is all
        out.append(text);
        return;
    }
    std::size_t clean = 0; // bytes at the front of `text` that go as they are
    while (clean < text.size()) {
        const Character character = first_character(text.substr(clean));
        if (character.bytes == 0) { // not valid after all: show the byte, never send it
            out.append(text.substr(0, clean)).append("\\x");
            append_hex(out, static_cast<unsigned char>(text[clean]), 2);
            text.remove_prefix(clean + 1);
            clean = 0;
        } else if (is_hidden(character.code_point)) {
            out.append(text.substr(0, clean));
            append_shown(out, character.code_point);
            text.remove_prefix(clean + character.bytes);
            clean = 0;
        } else {
            clean += character.bytes;
        }
    }
    out.append(text);
}

std::string_view cut_at_character(std::string_view text, std::size_t bytes_max) {
    if (text.size() <= bytes_max) {
        return text;
    }
    std::size_t end = bytes_max;
    while (end > 0 && utf8_detail::is_continuation(utf8_detail::byte_at(text, end))) {
        --end;
    }
    return text.substr(0, end);
}

std::string quoted(std::string_view text, std::size_t bytes_max) {
    constexpr std::string_view cut_mark = "...";
    std::string out = "\"";
    std::size_t fits = out.size(); // where the cut mark goes if the text does not fit
    while (!text.empty()) {
        const std::size_t before = out.size();
        const Character character = first_character(text);
        if (character.bytes == 0) {
            out.append("\\ufffd");
            text.remove_prefix(1);
        } else {
            append_json(out, text.substr(0, character.bytes), character.code_point);
            text.remove_prefix(character.bytes);
        }
        if (out.size() - 1 > bytes_max) {
            const bool room_for_mark = bytes_max >= cut_mark.size();
            out.resize(room_for_mark ? fits : before);
            out.append(room_for_mark ? cut_mark : std::string_view{});
            break;
        }
        if (out.size() - 1 + cut_mark.size() <= bytes_max) {
            fits = out.size();
        }
    }
    out.push_back('"');
    return out;
}

} // namespace roomd
