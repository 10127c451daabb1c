#include "bench/transcript.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <iterator>
#include <utility>

namespace roomd::bench {

namespace {

// `rb 00017 00000000000042 xxxx...`: of a fixed width, so that reading is a handful of steps.
constexpr std::size_t publisher_at = 3;
constexpr std::size_t publisher_digits = 5;
constexpr std::size_t number_at = publisher_at + publisher_digits + 1;
constexpr std::size_t number_digits = 14;
static_assert(number_at + number_digits + 1 == stamp_bytes);

void write_digits(char* to, std::size_t digits, std::uint64_t value) {
    for (std::size_t index = digits; index-- > 0; value /= 10) {
        to[index] = static_cast<char>('0' + value % 10);
    }
}

bool read_digits(const char* from, std::size_t digits, std::uint64_t& value) {
    value = 0;
    unsigned strange = 0;
    for (std::size_t index = 0; index < digits; ++index) {
        const auto digit = static_cast<unsigned char>(from[index] - '0');
        strange |= static_cast<unsigned>(digit > 9);
        value = value * 10 + digit;
    }
    return strange == 0;
}

// So much that everybody has heard may wait before it is thrown away in one go.
constexpr std::size_t forget_bytes_min = std::size_t{1} << 20;

} // namespace

void write_text(std::string& out, Stamp stamp, std::size_t size) {
    assert(size >= stamp_bytes);
    const std::size_t begin = out.size();
    out.append(size, 'x');
    char* const text = out.data() + begin;
    text[0] = 'r';
    text[1] = 'b';
    text[2] = ' ';
    write_digits(text + publisher_at, publisher_digits, stamp.publisher);
    text[number_at - 1] = ' ';
    write_digits(text + number_at, number_digits, stamp.number);
    text[stamp_bytes - 1] = ' ';
}

bool read_text(std::string_view text, Stamp& stamp) {
    std::uint64_t publisher = 0;
    if (text.size() < stamp_bytes || !text.starts_with("rb ") ||
        !read_digits(text.data() + publisher_at, publisher_digits, publisher) ||
        !read_digits(text.data() + number_at, number_digits, stamp.number)) {
        return false;
    }
    stamp.publisher = static_cast<std::uint32_t>(publisher);
    return true;
}

std::uint32_t Transcript::add_publisher(std::uint32_t number) {
    publishers_.push_back({number, 0});
    return static_cast<std::uint32_t>(publishers_.size() - 1);
}

std::size_t Transcript::hear(std::string_view bytes, std::uint64_t& position,
                             std::string_view& answer) {
    std::size_t taken = 0;
    if (position < end()) {
        taken = compare(bytes, position, answer);
    }
    if (position == end() && taken < bytes.size() && failure_.empty()) {
        const std::size_t more = extend(bytes.substr(taken), answer);
        position = end();
        taken += more;
    }
    return taken;
}

// Whether `bytes` are what was said at `position`, as far as both go.
bool Transcript::known(std::string_view bytes, std::uint64_t position) const {
    const std::string_view said =
        std::string_view(bytes_).substr(static_cast<std::size_t>(position - begin_));
    return std::memcmp(said.data(), bytes.data(), std::min(said.size(), bytes.size())) == 0;
}

std::size_t Transcript::compare(std::string_view bytes, std::uint64_t& position,
                                std::string_view& answer) {
    if (known(bytes, position)) {
        const std::uint64_t border = border_before(std::min(end(), position + bytes.size()));
        const std::uint64_t taken = border - position;
        position = border;
        return static_cast<std::size_t>(taken);
    }
    // Something for this member alone stands between the messages.
    std::size_t taken = 0;
    while (taken < bytes.size() && position < end()) {
        const std::string_view rest = bytes.substr(taken);
        const Heard heard = wire_->next(rest);
        if (heard.kind == Heard::Kind::incomplete) {
            break;
        }
        const bool message = heard.kind == Heard::Kind::message;
        if (heard.kind == Heard::Kind::refused ||
            (message && !known(rest.substr(0, heard.size), position))) {
            fail("a member heard \"" + std::string(heard.text.substr(0, 80)) +
                 "\" where the others heard something else");
            break;
        }
        position += message ? heard.size : 0;
        answer = heard.answer.empty() ? answer : heard.answer;
        taken += heard.size;
    }
    return taken;
}

std::size_t Transcript::extend(std::string_view bytes, std::string_view& answer) {
    std::size_t taken = 0;
    while (taken < bytes.size()) {
        const std::string_view rest = bytes.substr(taken);
        const Heard heard = wire_->next(rest);
        if (heard.kind == Heard::Kind::incomplete) {
            break;
        }
        answer = heard.answer.empty() ? answer : heard.answer;
        taken += heard.size;
        if (!take(heard, rest.substr(0, heard.size))) {
            break;
        }
    }
    return taken;
}

bool Transcript::take(const Heard& heard, std::string_view unit) {
    if (heard.kind == Heard::Kind::refused) {
        fail("refused: " + std::string(heard.text));
        return false;
    }
    if (heard.kind != Heard::Kind::message) {
        return true; // for this member alone
    }
    Stamp stamp{};
    if (!read_text(heard.text, stamp)) {
        fail("a message that nobody published: \"" + std::string(heard.text.substr(0, 80)) + '"');
        return false;
    }
    const auto publisher =
        std::find_if(publishers_.begin(), publishers_.end(),
                     [&](const Publisher& entry) { return entry.number == stamp.publisher; });
    if (publisher == publishers_.end() || publisher->next != stamp.number) {
        fail("message " + std::to_string(stamp.number) + " of publisher " +
             std::to_string(stamp.publisher) + " came where " +
             (publisher == publishers_.end() ? "none" : std::to_string(publisher->next)) +
             " was due");
        return false;
    }
    ++publisher->next;
    bytes_ += unit;
    messages_.push_back({end(), stamp});
    return true;
}

std::uint64_t Transcript::border_before(std::uint64_t position) const {
    const auto after =
        std::upper_bound(messages_.begin(), messages_.end(), position,
                         [](std::uint64_t at, const Message& message) { return at < message.end; });
    return after == messages_.begin() ? begin_ : std::prev(after)->end;
}

std::pair<const Transcript::Message*, const Transcript::Message*>
Transcript::between(std::uint64_t from, std::uint64_t to) const {
    const auto before = [](std::uint64_t at, const Message& message) { return at < message.end; };
    const auto first = std::upper_bound(messages_.begin(), messages_.end(), from, before);
    const auto last = std::upper_bound(first, messages_.end(), to, before);
    return {messages_.data() + (first - messages_.begin()),
            messages_.data() + (last - messages_.begin())};
}

std::uint64_t Transcript::count(std::uint64_t position) const {
    const auto after =
        std::upper_bound(messages_.begin(), messages_.end(), position,
                         [](std::uint64_t at, const Message& message) { return at < message.end; });
    return forgotten_ + static_cast<std::uint64_t>(after - messages_.begin());
}

void Transcript::forget(std::uint64_t position) {
    const auto heard = static_cast<std::size_t>(position - begin_);
    if (heard < forget_bytes_min || heard * 2 < bytes_.size()) {
        return;
    }
    bytes_.erase(0, heard);
    begin_ = position;
    messages_.erase(messages_.begin(), messages_.begin() + static_cast<std::ptrdiff_t>(settled_));
    forgotten_ += settled_;
    settled_ = 0;
}

void Transcript::fail(std::string why) {
    if (failure_.empty()) {
        failure_ = std::move(why);
    }
}

} // namespace roomd::bench
