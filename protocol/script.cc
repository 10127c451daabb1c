#include "protocol/script.h"

#include <algorithm>
#include <array>

namespace roomd {

namespace {

struct Range {
    char32_t first;
    char32_t last;
    Script script;
};

constexpr std::array ranges = {
    Range{0x0041, 0x024F, Script::latin},        Range{0x0250, 0x02B8, Script::latin},
    Range{0x0370, 0x03FF, Script::greek},        Range{0x0400, 0x052F, Script::cyrillic},
    Range{0x0530, 0x058F, Script::armenian},     Range{0x0590, 0x05FF, Script::hebrew},
    Range{0x0600, 0x06FF, Script::arabic},       Range{0x0700, 0x074F, Script::syriac},
    Range{0x0750, 0x077F, Script::arabic},       Range{0x0780, 0x07BF, Script::thaana},
    Range{0x0860, 0x086F, Script::syriac},       Range{0x0870, 0x08FF, Script::arabic},
    Range{0x0900, 0x097F, Script::devanagari},   Range{0x0980, 0x09FF, Script::bengali},
    Range{0x0A00, 0x0A7F, Script::gurmukhi},     Range{0x0A80, 0x0AFF, Script::gujarati},
    Range{0x0B00, 0x0B7F, Script::oriya},        Range{0x0B80, 0x0BFF, Script::tamil},
    Range{0x0C00, 0x0C7F, Script::telugu},       Range{0x0C80, 0x0CFF, Script::kannada},
    Range{0x0D00, 0x0D7F, Script::malayalam},    Range{0x0D80, 0x0DFF, Script::sinhala},
    Range{0x0E00, 0x0E7F, Script::thai},         Range{0x0E80, 0x0EFF, Script::lao},
    Range{0x0F00, 0x0FFF, Script::tibetan},      Range{0x1000, 0x109F, Script::myanmar},
    Range{0x10A0, 0x10FF, Script::georgian},     Range{0x1100, 0x11FF, Script::hangul},
    Range{0x1200, 0x139F, Script::ethiopic},     Range{0x13A0, 0x13FF, Script::cherokee},
    Range{0x1780, 0x17FF, Script::khmer},        Range{0x1800, 0x18AF, Script::mongolian},
    Range{0x1C80, 0x1C8F, Script::cyrillic},     Range{0x1C90, 0x1CBF, Script::georgian},
    Range{0x1D00, 0x1D25, Script::latin},        Range{0x1D26, 0x1D2A, Script::greek},
    Range{0x1D2B, 0x1D2B, Script::cyrillic},     Range{0x1D2C, 0x1DBF, Script::latin},
    Range{0x1E00, 0x1EFF, Script::latin},        Range{0x1F00, 0x1FFF, Script::greek},
    Range{0x2C60, 0x2C7F, Script::latin},        Range{0x2C80, 0x2CFF, Script::other},
    Range{0x2D00, 0x2D2F, Script::georgian},     Range{0x2D80, 0x2DDF, Script::ethiopic},
    Range{0x2E80, 0x312F, Script::east_asian},   Range{0x3130, 0x318F, Script::hangul},
    Range{0x31A0, 0x9FFF, Script::east_asian},   Range{0xA640, 0xA69F, Script::cyrillic},
    Range{0xA720, 0xA7FF, Script::latin},        Range{0xA8E0, 0xA8FF, Script::devanagari},
    Range{0xA960, 0xA97F, Script::hangul},       Range{0xA9E0, 0xA9FF, Script::myanmar},
    Range{0xAA60, 0xAA7F, Script::myanmar},      Range{0xAB00, 0xAB2F, Script::ethiopic},
    Range{0xAB30, 0xAB64, Script::latin},        Range{0xAB65, 0xAB65, Script::greek},
    Range{0xAB66, 0xAB6F, Script::latin},        Range{0xAB70, 0xABBF, Script::cherokee},
    Range{0xAC00, 0xD7FF, Script::hangul},       Range{0xF900, 0xFAFF, Script::east_asian},
    Range{0xFB1D, 0xFB4F, Script::hebrew},       Range{0xFB50, 0xFDFF, Script::arabic},
    Range{0xFE70, 0xFEFE, Script::arabic},       Range{0x1AFF0, 0x1B16F, Script::east_asian},
    Range{0x20000, 0x3FFFF, Script::east_asian},
};

constexpr bool sorted_and_apart() {
    for (std::size_t index = 1; index < ranges.size(); ++index) {
        if (ranges[index - 1].last >= ranges[index].first) {
            return false;
        }
    }
    return true;
}

static_assert(sorted_and_apart());

} // namespace

Script script_of(char32_t letter) {
    const auto* const found =
        std::lower_bound(ranges.begin(), ranges.end(), letter,
                         [](const Range& range, char32_t point) { return range.last < point; });
    return found != ranges.end() && found->first <= letter ? found->script : Script::other;
}

} // namespace roomd
