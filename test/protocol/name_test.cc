#include "protocol/name.h"

#include "protocol/limits.h"
#include "protocol/script.h"
#include "protocol/text.h"
#include "test/protocol/characters.h"

#include <doctest/doctest.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

using namespace roomd;
using roomd::test::encoded;
using roomd::test::hidden_points;

namespace {

std::variant<Name, BadName> parse(std::string_view text, NameKind kind = NameKind::nick,
                                  ScriptPolicy scripts = ScriptPolicy::any) {
    return Name::parse(text, kind, scripts);
}

Name name(std::string_view text) {
    auto result = parse(text);
    REQUIRE_MESSAGE(std::holds_alternative<Name>(result), std::string(text));
    return std::get<Name>(std::move(result));
}

bool good(std::string_view text, ScriptPolicy scripts = ScriptPolicy::any) {
    return std::holds_alternative<Name>(parse(text, NameKind::nick, scripts));
}

std::string_view why(std::string_view text, ScriptPolicy scripts = ScriptPolicy::any) {
    const auto result = parse(text, NameKind::nick, scripts);
    const auto* const bad = std::get_if<BadName>(&result);
    return bad != nullptr ? bad->why : std::string_view{};
}

std::string times(std::string_view piece, std::size_t count) {
    std::string all;
    for (std::size_t index = 0; index < count; ++index) {
        all += piece;
    }
    return all;
}

constexpr std::string_view acute = "\xCC\x81"; // U+0301, combining

} // namespace

TEST_CASE("Name: letters, digits and three signs of any script") {
    for (const char* text :
         {"a", "ann", "Bob_7", "x.y-z", "guest-12", "-", ".", "0", "\xC3\xA9t\xC3\xA9",
          "\xD0\x9E\xD0\xBB\xD1\x8F", "\xE6\x9D\x8E\xE9\x9B\xB7",
          "\xE0\xA4\xB9\xE0\xA4\xBF\xE0\xA4\xA8\xE0\xA5\x8D\xE0\xA4\xA6\xE0\xA5\x80",
          "\xD8\xB9\xD9\x84\xD9\x8A", "\xE0\xB8\x99\xE0\xB9\x89\xE0\xB8\xB3"}) {
        CAPTURE(text);
        CHECK(good(text));
        CHECK(name(text).text() == text);
    }
}

TEST_CASE("Name: nothing else") {
    for (const char* text :
         {"", " ", "a b", "a ", "a/b", "a:b", "a=b", "[a]", "a,b", "@a", "#a", "a!", "a\tb", "a\n",
          "\xF0\x9F\x8E\x89", "\xE2\x82\xAC", "a\xC2\xA0", "\xE3\x80\x80", "\xEF\xB7\xBA"}) {
        CAPTURE(text);
        CHECK_FALSE(good(text));
        CHECK_FALSE(why(text).empty());
    }
}

TEST_CASE("Name: no control, override or invisible character anywhere") {
    for (const char32_t point : hidden_points()) {
        CHECK_FALSE(good("a" + encoded(point) + "b"));
    }
    for (const char32_t point : std::initializer_list<char32_t>{
             0x00AD, 0x034F, 0x115F, 0x1160, 0x180E, 0x200B, 0x200C, 0x200D, 0x2060, 0x2063, 0x3164,
             0xFE0F, 0xFEFF, 0xFFA0, 0xE0041, 0xE0100}) {
        CAPTURE(static_cast<unsigned>(point));
        CHECK_FALSE(good("a" + encoded(point) + "b"));
    }
    CHECK_FALSE(good(std::string_view("a\0b", 3)));
}

TEST_CASE("Name: invalid UTF-8 is no name") {
    for (const char* text : {"\xFF", "a\xC3", "\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80"}) {
        CHECK_FALSE(good(text));
    }
}

TEST_CASE("Name: at most 32 characters, counted composed") {
    CHECK(good(times("x", name_characters_max)));
    CHECK_FALSE(good(times("x", name_characters_max + 1)));
    CHECK(good(times("\xE6\x9D\x8E", name_characters_max)));
    CHECK(good(times("e\xCC\x81", name_characters_max)));
    CHECK_FALSE(good(times("e\xCC\x81", name_characters_max + 1)));
    CHECK(good(times("\xF0\xA0\x80\x80", name_characters_max))); // the largest in bytes
    CHECK_FALSE(good(times("\xF0\xA0\x80\x80", name_characters_max + 1)));
    CHECK_FALSE(good(times("x", 100'000)));
}

TEST_CASE("Name: the folded form has the same bounds") {
    CHECK(good(times("\xEF\xAC\x83", 10)));       // ffi, ten times: thirty characters
    CHECK_FALSE(good(times("\xEF\xAC\x83", 11))); // thirty-three
}

TEST_CASE("Name: marks stand on letters, at most four on one") {
    CHECK(good("a" + times(acute, 4) + "b"));
    CHECK(good("x" + times(acute, name_marks_max)));
    CHECK_FALSE(good("x" + times(acute, name_marks_max + 1)));
    CHECK_FALSE(good(acute));
    CHECK_FALSE(good("\xCC\x81"
                     "a"));
    CHECK_FALSE(good("7\xCC\x81"));
    CHECK_FALSE(good("_\xCC\x81"));
    CHECK_FALSE(good("a-\xCC\x81"));
}

TEST_CASE("Name: what costs more to normalise than a name may have is refused for its reason") {
    const std::string_view marks = why("x" + times(acute, name_marks_max + 1));
    // Marks that have to be put in order, each before all others: refused at the eighth.
    std::string tower = "a";
    for (const char* mark : {"\xCD\x85", "\xCC\x80", "\xCC\xA3", "\xCC\xA7", "\xCC\xB8"}) {
        tower += times(mark, 12);
    }
    CHECK(why(tower) == marks);
    CHECK(why("a" + times("\xCD\x84", 20)) == marks);             // two marks each
    CHECK(why(times("\xEF\xB7\xBA", 32)) == why(times("x", 33))); // eighteen letters each
    // A letter of three marks, written apart, may bear four more.
    CHECK(good("\xCE\xB1\xCC\x93\xCC\x80\xCD\x85" + times("\xCC\xA3", 0)));
}

TEST_CASE("Name: what folding leaves alone, character by character, it leaves alone") {
    // A name that looks folded is not folded at all: this holds for every character there is.
    for (char32_t point = 0x80; point < 0x30000; ++point) {
        const std::string one = encoded(point);
        if (const auto result = parse("a" + one); std::holds_alternative<Name>(result)) {
            const Name& first = std::get<Name>(result);
            const Name again = name(first.folded());
            if (again.folded() != first.folded() || again.text() != first.folded()) {
                FAIL_CHECK("U+" << static_cast<unsigned>(point));
            }
        }
    }
}

TEST_CASE("Name: compared after NFKC case folding") {
    CHECK(name("Ann") == name("aNN"));
    CHECK(name("\xC3\x89"
               "a") == name("E\xCC\x81"
                            "a"));
    CHECK(name("stra\xC3\x9F"
               "e") == name("STRASSE"));
    CHECK(name("\xEF\xBC\xA1nn") == name("ann"));   // full-width A
    CHECK(name("\xCE\xA3") == name("\xCF\x82"));    // sigma, final sigma
    CHECK(name("\xE2\x84\xAA") == name("k"));       // Kelvin
    CHECK_FALSE(name("\xD0\xB0nn") == name("ann")); // Cyrillic a
    CHECK_FALSE(name("a_b") == name("a-b"));
    CHECK(name("Ann").text() == "Ann");
    CHECK(name("Ann").folded() == "ann");
    CHECK(name("E\xCC\x81").text() == "\xC3\x89");
}

TEST_CASE("Name: folding a folded form changes nothing, whatever single character it came from") {
    std::size_t names = 0;
    std::size_t wrong = 0;
    for (char32_t point = 1; point < 0x20000; point += point < 0x10000 ? 1 : 7) {
        if (point >= 0xD800 && point <= 0xDFFF) {
            continue;
        }
        const auto result = parse("x" + encoded(point));
        const auto* const first = std::get_if<Name>(&result);
        if (first == nullptr) {
            continue;
        }
        ++names;
        const auto again = parse(first->folded());
        const auto* const second = std::get_if<Name>(&again);
        wrong += second != nullptr && second->folded() == first->folded() &&
                         second->text() == first->folded() && check_text(first->text()).harmless
                     ? 0U
                     : 1U;
    }
    CHECK(names > 40'000);
    CHECK(wrong == 0);
}

TEST_CASE("Name: server and roomd are nobody's, but rooms may be called so") {
    for (const char* text : {"server", "Server", "ROOMD", "\xEF\xBD\x92oomd"}) {
        CHECK_FALSE(good(text));
        CHECK(std::holds_alternative<Name>(parse(text, NameKind::room)));
    }
    CHECK(good("server2"));
}

TEST_CASE("Name: scripts that look alike do not mix where strangers come in") {
    const char* const mixed[] = {"\xD0\xB0nn", "x\xCE\xBFx", "\xD0\xBE\xCE\xBF", "x\xD5\xB8",
                                 "x\xE1\x8E\xA0"};
    for (const char* text : mixed) {
        CAPTURE(text);
        CHECK(good(text));
        CHECK_FALSE(good(text, ScriptPolicy::single));
    }
    const char* const pure[] = {"ann_7",
                                "\xD0\xBE\xD0\xBB\xD1\x8F-2",
                                "\xCE\xB1\xCE\xB2",
                                "\xE6\x9D\x8E\xE3\x81\x82\xE3\x82\xAB\xE3\x83\xBC", // Han and Kana
                                "\xEF\xBC\xA1nn",
                                "\xED\x95\x9C\xEA\xB8\x80",
                                "e\xCC\x81t\xCC\x81"};
    for (const char* text : pure) {
        CAPTURE(text);
        CHECK(good(text, ScriptPolicy::single));
    }
}

TEST_CASE("Name: scripts of a few letters") {
    CHECK(script_of('a') == Script::latin);
    CHECK(script_of(0x0430) == Script::cyrillic);
    CHECK(script_of(0x03B1) == Script::greek);
    CHECK(script_of(0x4E00) == script_of(0x3042));
    CHECK(script_of(0xAC00) == Script::hangul);
    CHECK(script_of(0x13A0) == Script::cherokee);
    CHECK(script_of(0x40) == Script::other);
    CHECK(script_of(0x10FFFF) == Script::other);
}

TEST_CASE("Name: a copy is its own, a moved-from one is empty") {
    Name first = name("Ann");
    Name second = first;
    CHECK(second == first);
    CHECK(second.text().data() != first.text().data());
    const Name third = std::move(first);
    CHECK(third.text() == "Ann");
    CHECK(first.text().empty()); // NOLINT(bugprone-use-after-move): that is the question
    CHECK(first.folded().empty());
    second = third;
    const Name& alias = second;
    second = alias;
    CHECK(second.folded() == "ann");
    CHECK(second.text() == "Ann");
    CHECK(sizeof(Name) == 16);
}
