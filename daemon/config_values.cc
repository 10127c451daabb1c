#include "daemon/config_values.h"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <span>

namespace roomd {

namespace {

struct Suffix {
    std::string_view text;
    std::uint64_t factor;
};

constexpr std::uint64_t kilo = 1000;
constexpr std::uint64_t kibi = 1024;

constexpr std::array<Suffix, 8> byte_suffixes = {{{"", 1},
                                                  {"B", 1},
                                                  {"kB", kilo},
                                                  {"MB", kilo* kilo},
                                                  {"GB", kilo* kilo* kilo},
                                                  {"KiB", kibi},
                                                  {"MiB", kibi* kibi},
                                                  {"GiB", kibi* kibi* kibi}}};
constexpr std::array<Suffix, 5> millisecond_suffixes = {
    {{"", 1}, {"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}}};
constexpr std::array<Suffix, 4> second_suffixes = {{{"", 1}, {"s", 1}, {"m", 60}, {"h", 3'600}}};
constexpr std::array<Suffix, 1> count_suffixes = {{{"", 1}}};

std::span<const Suffix> suffixes_of(Unit unit) {
    switch (unit) {
    case Unit::bytes:
        return byte_suffixes;
    case Unit::milliseconds:
        return millisecond_suffixes;
    case Unit::seconds:
        return second_suffixes;
    case Unit::count:
        break;
    }
    return count_suffixes;
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/// Takes the digits off the front of `text`.
std::optional<std::uint64_t> take_digits(std::string_view& text) {
    constexpr std::uint64_t base = 10;
    constexpr std::uint64_t max = std::numeric_limits<std::uint64_t>::max();
    std::uint64_t value = 0;
    bool digit_before = false;
    while (!text.empty() && (is_digit(text.front()) || (text.front() == '_' && digit_before))) {
        digit_before = text.front() != '_';
        if (digit_before) {
            const auto digit = static_cast<std::uint64_t>(text.front() - '0');
            if (value > (max - digit) / base) {
                return std::nullopt;
            }
            value = value * base + digit;
        }
        text.remove_prefix(1);
    }
    return digit_before ? std::optional(value) : std::nullopt;
}

/// Levenshtein's distance: each inserted, dropped or changed character counts one.
std::size_t distance(std::string_view left, std::string_view right) {
    std::vector<std::size_t> row(right.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    std::size_t result = right.size();
    for (std::size_t i = 0; i < left.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i + 1;
        for (std::size_t j = 0; j < right.size(); ++j) {
            const std::size_t changed = diagonal + (left[i] == right[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({changed, row[j] + 1, diagonal + 1});
            result = row[j + 1];
        }
        result = right.empty() ? i + 1 : result;
    }
    return result;
}

} // namespace

std::optional<std::uint64_t> parse_number(std::string_view text, Unit unit) {
    const std::optional<std::uint64_t> value = take_digits(text);
    if (!value) {
        return std::nullopt;
    }
    for (const Suffix& suffix : suffixes_of(unit)) {
        if (suffix.text != text) {
            continue;
        }
        if (*value > std::numeric_limits<std::uint64_t>::max() / suffix.factor) {
            return std::nullopt;
        }
        return *value * suffix.factor;
    }
    return std::nullopt;
}

std::string print_number(std::uint64_t value, Unit unit) {
    const Suffix* largest = nullptr;
    for (const Suffix& suffix : suffixes_of(unit)) {
        const bool divides = value > 0 && value % suffix.factor == 0;
        const bool decimal_bytes = unit == Unit::bytes && suffix.factor % kilo == 0;
        if (divides && !decimal_bytes && (largest == nullptr || suffix.factor > largest->factor)) {
            largest = &suffix;
        }
    }
    if (largest == nullptr || largest->factor == 1) {
        const bool time = unit == Unit::milliseconds || unit == Unit::seconds;
        const std::string_view plain = unit == Unit::seconds ? "s" : "ms";
        return std::to_string(value) + (time && value > 0 ? std::string(plain) : std::string());
    }
    return std::to_string(value / largest->factor) + std::string(largest->text);
}

std::string_view example_of(Unit unit) {
    switch (unit) {
    case Unit::bytes:
        return "a size in bytes, such as 65536, 64KiB or 1MiB";
    case Unit::milliseconds:
        return "a time in milliseconds, such as 500, 500ms, 10s or 2m";
    case Unit::seconds:
        return "a time in seconds, such as 10, 10s or 2m";
    case Unit::count:
        break;
    }
    return "a whole number";
}

std::optional<bool> parse_switch(std::string_view text) {
    if (text == "on" || text == "true" || text == "yes" || text == "1") {
        return true;
    }
    if (text == "off" || text == "false" || text == "no" || text == "0") {
        return false;
    }
    return std::nullopt;
}

std::string toml_string(std::string_view text) {
    constexpr std::string_view hex = "0123456789abcdef";
    std::string result = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            result += '\\';
            result += c;
        } else if (byte < 0x20U || byte == 0x7fU) {
            result += "\\u00";
            result += hex[byte >> 4U];
            result += hex[byte & 0xfU];
        } else {
            result += c;
        }
    }
    return result + '"';
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates) {
    constexpr std::size_t word_bytes_max = 64; // the distance costs the product of both lengths
    constexpr std::size_t characters_per_slip = 3;
    if (word.size() > word_bytes_max) {
        return {};
    }
    const std::string* nearest = nullptr;
    std::size_t nearest_distance = std::max<std::size_t>(2, word.size() / characters_per_slip) + 1;
    for (const std::string& candidate : candidates) {
        // A word that was cut short or left open is nearer than its length says.
        const bool begins_so = word.size() >= characters_per_slip && candidate.starts_with(word);
        const std::size_t steps = begins_so ? 1 : distance(word, candidate);
        if (steps < nearest_distance) {
            nearest = &candidate;
            nearest_distance = steps;
        }
    }
    return nearest == nullptr ? std::string() : "; did you mean " + *nearest + "?";
}

} // namespace roomd
