#include "protocol/text.h"

#include "protocol/utf8.h"
#include "test/protocol/characters.h"

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>

using namespace roomd;
using roomd::test::encoded;
using roomd::test::hidden_points;
using roomd::test::shows_nothing_hidden;

namespace {

/// UTF-8 once more, from the table of RFC 3629, section 4, row by row.
struct Utf8Row {
    std::array<unsigned, 8> ranges; // lowest and highest of each byte
    std::size_t bytes;
};

constexpr std::array table = {
    Utf8Row{{0x01, 0x7F}, 1}, // NUL is UTF-8, but no text of ours
    Utf8Row{{0xC2, 0xDF, 0x80, 0xBF}, 2},
    Utf8Row{{0xE0, 0xE0, 0xA0, 0xBF, 0x80, 0xBF}, 3},
    Utf8Row{{0xE1, 0xEC, 0x80, 0xBF, 0x80, 0xBF}, 3},
    Utf8Row{{0xED, 0xED, 0x80, 0x9F, 0x80, 0xBF}, 3},
    Utf8Row{{0xEE, 0xEF, 0x80, 0xBF, 0x80, 0xBF}, 3},
    Utf8Row{{0xF0, 0xF0, 0x90, 0xBF, 0x80, 0xBF, 0x80, 0xBF}, 4},
    Utf8Row{{0xF1, 0xF3, 0x80, 0xBF, 0x80, 0xBF, 0x80, 0xBF}, 4},
    Utf8Row{{0xF4, 0xF4, 0x80, 0x8F, 0x80, 0xBF, 0x80, 0xBF}, 4},
};

bool begins_with(std::string_view bytes, const Utf8Row& row) {
    if (bytes.size() < row.bytes) {
        return false;
    }
    for (std::size_t index = 0; index < row.bytes; ++index) {
        const unsigned byte = static_cast<unsigned char>(bytes[index]);
        if (byte < row.ranges.at(2 * index) || byte > row.ranges.at(2 * index + 1)) {
            return false;
        }
    }
    return true;
}

bool slow_valid(std::string_view bytes) {
    while (!bytes.empty()) {
        std::size_t fits = 0;
        for (const Utf8Row& row : table) {
            fits = begins_with(bytes, row) ? row.bytes : fits;
        }
        if (fits == 0) {
            return false;
        }
        bytes.remove_prefix(fits);
    }
    return true;
}

/// Whether the check agrees with the table on `bytes`, alone and inside words of ASCII.
bool agrees(std::string_view bytes) {
    const bool expected = slow_valid(bytes);
    if (check_text(bytes).valid != expected) {
        return false;
    }
    std::string inside = "eight by";
    inside.append(bytes).append("tes more");
    return check_text(inside).valid == slow_valid(inside);
}

std::string visible(std::string_view text) {
    std::string out = "> ";
    append_visible(out, text);
    CHECK(out.size() - 2 <= visible_growth_max * text.size());
    return out.substr(2);
}

} // namespace

TEST_CASE("Text: every sequence of two bytes is judged as RFC 3629 judges it") {
    std::size_t wrong = 0;
    for (unsigned value = 0; value < 0x10000; ++value) {
        const std::array<char, 2> bytes = {static_cast<char>(value >> 8U),
                                           static_cast<char>(value & 0xFFU)};
        wrong += agrees({bytes.data(), bytes.size()}) ? 0U : 1U;
    }
    CHECK(wrong == 0);
}

TEST_CASE(
    "Text: three and four bytes, drawn and at the borders, are judged as RFC 3629 judges them") {
    std::mt19937 random(7); // NOLINT(cert-msc32-c,cert-msc51-cpp): the same bytes each time
    constexpr std::array<unsigned, 24> borders = {0x00, 0x01, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0,
                                                  0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC,
                                                  0xED, 0xEE, 0xEF, 0xF0, 0xF3, 0xF4, 0xF5, 0xFF};
    std::size_t wrong = 0;
    std::size_t valid = 0;
    for (std::size_t round = 0; round < 200'000; ++round) {
        const bool at_border = round % 2 == 0;
        std::string bytes;
        for (std::size_t left = 3 + round / 2 % 2; left > 0; --left) {
            const auto drawn = static_cast<unsigned>(random());
            bytes.push_back(static_cast<char>(at_border ? borders.at(drawn % 24) : drawn & 0xFFU));
        }
        wrong += agrees(bytes) ? 0U : 1U;
        valid += slow_valid(bytes) ? 1U : 0U;
    }
    CHECK(wrong == 0);
    CHECK(valid > 1'000); // the draw hits both sides
}

TEST_CASE("Text: every code point is valid, but surrogates and NUL") {
    std::size_t wrong = 0;
    for (char32_t point = 0; point <= 0x110000; ++point) {
        const bool good = point != 0 && point <= 0x10FFFF && (point < 0xD800 || point > 0xDFFF);
        const std::string bytes = encoded(point);
        wrong += check_text(bytes).valid == good ? 0U : 1U;
        wrong += !good || first_character(bytes).code_point == point ? 0U : 1U;
    }
    CHECK(wrong == 0);
}

TEST_CASE("Text: one odd byte is found at every place of a text") {
    for (std::size_t size = 1; size <= 40; ++size) {
        for (std::size_t place = 0; place < size; ++place) {
            std::string text(size, 'x');
            CHECK(check_text(text).valid);
            CHECK(check_text(text).harmless);
            text[place] = '\x7F';
            CHECK(check_text(text).valid);
            CHECK_FALSE(check_text(text).harmless);
            text[place] = '\x1F';
            CHECK_FALSE(check_text(text).harmless);
            text[place] = '\t';
            CHECK(check_text(text).harmless);
            text[place] = '\0';
            CHECK_FALSE(check_text(text).valid);
            text[place] = '\xBF';
            CHECK_FALSE(check_text(text).valid);
        }
    }
}

TEST_CASE("Text: harmless is what append_visible leaves alone, for every code point") {
    std::size_t wrong = 0;
    for (char32_t point = 1; point <= 0x10FFFF; ++point) {
        if (point >= 0xD800 && point <= 0xDFFF) {
            continue;
        }
        const std::string bytes = encoded(point);
        std::string out;
        append_visible(out, bytes);
        wrong += (out == bytes) == check_text(bytes).harmless ? 0U : 1U;
        wrong += out.size() <= visible_growth_max * bytes.size() ? 0U : 1U;
        wrong += shows_nothing_hidden(out) ? 0U : 1U;
    }
    CHECK(wrong == 0);
}

TEST_CASE("Text: every control code point and bidirectional override is shown") {
    for (const char32_t point : hidden_points()) {
        CAPTURE(static_cast<std::uint32_t>(point));
        const std::string shown = visible("a" + encoded(point) + "b");
        CHECK(shows_nothing_hidden(shown));
        CHECK(shown.size() >= 4);
        CHECK(shown.front() == 'a');
        CHECK(shown.back() == 'b');
    }
}

TEST_CASE("Text: escapes look as terminals have always shown them") {
    CHECK(visible("\x1B[31m") == "^[[31m");
    CHECK(visible("a\nb\r") == "a^Jb^M");
    CHECK(visible("tab\tstays") == "tab\tstays");
    CHECK(visible("\x7F") == "^?");
    CHECK(visible("\xC2\x9B"
                  "31m") == "\\x9b31m");
    CHECK(visible(encoded(0x202E)) == "\\u202e");
    CHECK(visible(encoded(0x061C)) == "\\u061c");
    CHECK(visible(encoded(0x2028)) == "\\u2028");
    CHECK(visible("plain \xE2\x82\xAC \xF0\x9F\x8E\x89") == "plain \xE2\x82\xAC \xF0\x9F\x8E\x89");
    CHECK(visible("") == "");
}

TEST_CASE("Text: bytes that should not have come this far are still shown, not sent") {
    std::string out;
    append_visible(out, "a\x9B"
                        "b\xE2\x82");
    CHECK(out == "a\\x9bb\\xe2\\x82");
}

TEST_CASE("Text: a cut never ends inside a character") {
    const std::string text = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x8E\x89";
    const std::array<std::size_t, 12> kept = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10};
    for (std::size_t limit = 0; limit < kept.size(); ++limit) {
        CHECK(cut_at_character(text, limit) == text.substr(0, kept.at(limit)));
    }
}

TEST_CASE("Text: quoted is a JSON string in one line") {
    CHECK(quoted("plain", 100) == R"("plain")");
    CHECK(quoted("a\"b\\c", 100) == R"("a\"b\\c")");
    CHECK(quoted("l1\nl2\r\t", 100) == R"("l1\nl2\r\t")");
    CHECK(quoted(std::string_view("\0\x1B\x7F", 3), 100) == R"("\u0000\u001b\u007f")");
    CHECK(quoted(encoded(0x9B) + encoded(0x202E), 100) == R"("\u009b\u202e")");
    CHECK(quoted("\" level=error", 100) == R"("\" level=error")");
    CHECK(quoted("bad\xFFutf8", 100) == R"("bad\ufffdutf8")");
    CHECK(quoted("", 0) == R"("")");
}

TEST_CASE("Text: quoted is cut at a character's border and never inside an escape") {
    CHECK(quoted("0123456789", 10) == R"("0123456789")");
    CHECK(quoted("0123456789x", 10) == R"("0123456...")");
    CHECK(quoted("ab\n\n\n\n", 8) == R"("ab\n...")");
    CHECK(quoted("\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC", 8) == "\"\xE2\x82\xAC...\"");
    CHECK(quoted("abc", 2) == R"("ab")");
    for (std::size_t limit = 0; limit < 40; ++limit) {
        const std::string shown = quoted("mixed \x1B \xE2\x82\xAC \"quotes\" \xFF end", limit);
        CHECK(shown.size() <= limit + 2);
        CHECK(check_text(shown).valid);
    }
}
