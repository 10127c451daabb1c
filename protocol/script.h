// script — which writing system a letter belongs to, as coarsely as look-alike names need it.
//
// Internal to protocol/. A table of block ranges, not the Unicode script property: good enough to
// tell that a name mixes Latin with Cyrillic, and small enough to read. Pure.
#pragma once

#include <cstdint>

namespace roomd {

/// Han, Hiragana, Katakana and Bopomofo are one: they are written together. `other`: everything
/// that the table does not list, taken as one script of its own.
enum class Script : std::uint8_t {
    other,
    latin,
    greek,
    cyrillic,
    armenian,
    hebrew,
    arabic,
    syriac,
    thaana,
    devanagari,
    bengali,
    gurmukhi,
    gujarati,
    oriya,
    tamil,
    telugu,
    kannada,
    malayalam,
    sinhala,
    thai,
    lao,
    tibetan,
    myanmar,
    georgian,
    hangul,
    ethiopic,
    cherokee,
    khmer,
    mongolian,
    east_asian,
};

/// The script of a letter. Logarithmic in a table of some 60 ranges.
[[nodiscard]] Script script_of(char32_t letter);

} // namespace roomd
