#include "test/proofs/continuity/text.h"

#include "test/sim/random.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <limits>

namespace roomd::continuity {

namespace {

constexpr std::string_view room_prefix = "cont-";
constexpr std::size_t padding_max = 3'850; // with everything in front still a line
constexpr std::size_t offsets = 1'024;
constexpr std::size_t quoted_max = 100;

/// Letters without a pattern: a shift by some bytes does not look the same.
const std::string& letters() {
    static const std::string all = [] {
        sim::Random random(1);
        std::string text;
        while (text.size() < padding_max + offsets) {
            text += static_cast<char>('a' + random.below(26));
        }
        return text;
    }();
    return all;
}

/// What stands behind the stamp. One text in 32 is longer than 64 bytes.
std::string_view padding(const Stamp& stamp) {
    sim::Random random((std::uint64_t{stamp.speaker} << 32U) ^ stamp.number ^
                       (std::uint64_t{stamp.room} << 52U));
    const unsigned bits = random.below(32) == 0 ? 7 + static_cast<unsigned>(random.below(6)) : 6;
    const std::uint64_t size = 1 + random.below(std::uint64_t{1} << bits);
    const std::string_view all = letters();
    return all.substr(random.below(offsets), std::min<std::size_t>(size, padding_max));
}

void put_number(std::string& out, std::uint64_t number) {
    std::array<char, 20> digits{};
    char* const end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    out.append(digits.data(), end);
    out += ' ';
}

/// Takes a number and the space behind it from the front.
bool take_number(std::string_view& text, std::uint64_t& number) {
    const char* const end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc() || stopped == end || *stopped != ' ') {
        return false;
    }
    text.remove_prefix(static_cast<std::size_t>(stopped - text.data()) + 1);
    return true;
}

bool take_small(std::string_view& text, std::uint32_t& number) {
    std::uint64_t wide = 0;
    if (!take_number(text, wide) || wide > std::numeric_limits<std::uint32_t>::max()) {
        return false;
    }
    number = static_cast<std::uint32_t>(wide);
    return true;
}

} // namespace

void write_text(std::string& out, const Stamp& stamp) {
    out += stamp.timely ? "k " : "d ";
    put_number(out, stamp.room);
    put_number(out, stamp.speaker);
    put_number(out, stamp.number);
    put_number(out, stamp.intended_us);
    out += padding(stamp);
}

bool read_text(std::string_view text, Stamp& stamp) {
    stamp.timely = text.starts_with("k ");
    if (!stamp.timely && !text.starts_with("d ")) {
        return false;
    }
    text.remove_prefix(2);
    return take_small(text, stamp.room) && take_small(text, stamp.speaker) &&
           take_small(text, stamp.number) && take_number(text, stamp.intended_us) &&
           text == padding(stamp);
}

std::string room_name(std::uint32_t room) {
    return std::string(room_prefix) + std::to_string(room);
}

bool read_room(std::string_view name, std::uint32_t& room) {
    std::uint64_t number = 0;
    if (!name.starts_with(room_prefix) || !read_number(name.substr(room_prefix.size()), number)) {
        return false;
    }
    room = static_cast<std::uint32_t>(number);
    return true;
}

bool read_number(std::string_view text, std::uint64_t& number) {
    const char* const end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data(), end, number);
    return error == std::errc() && stopped == end;
}

std::string quoted(std::string_view text) {
    std::string shown = "\"" + std::string(text.substr(0, quoted_max));
    for (char& letter : shown) {
        letter = letter >= ' ' && letter <= '~' ? letter : '?';
    }
    return shown + (text.size() > quoted_max ? "...\"" : "\"");
}

} // namespace roomd::continuity
