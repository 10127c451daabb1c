#include "daemon/config_scan.h"

#include <algorithm>
#include <string>

namespace roomd {

namespace {

constexpr std::size_t triple = 3;

/// Behind the string that begins at `begin`. A string on one line ends with that line at the
/// latest.
std::size_t after_string(std::string_view text, std::size_t begin) {
    const char quote = text[begin];
    const std::string quotes(triple, quote);
    const bool multiline = text.substr(begin, triple) == quotes;
    const std::size_t width = multiline ? triple : 1;
    std::size_t at = begin + width;
    while (at < text.size()) {
        if (text[at] == '\\' && quote == '"') {
            at += 2;
        } else if (text.substr(at, width) == quotes.substr(0, width)) {
            at += width;
            // """a""""" ends with two quotes that are its own
            for (int own = 0; own < 2 && multiline && text.substr(at, 1) == quotes.substr(0, 1);
                 ++own) {
                ++at;
            }
            return at;
        } else if (text[at] == '\n' && !multiline) {
            return at;
        } else {
            ++at;
        }
    }
    return text.size();
}

TextPosition position_of(std::string_view text, std::size_t at) {
    const std::string_view before = text.substr(0, at);
    const std::size_t line_end = before.rfind('\n');
    const std::string_view line =
        line_end == std::string_view::npos ? before : before.substr(line_end + 1);
    const auto characters = std::count_if(line.begin(), line.end(),
                                          [](unsigned char c) { return (c & 0xc0U) != 0x80U; });
    return {static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n')) + 1,
            static_cast<std::size_t>(characters) + 1};
}

/// Where in a line of TOML one is: whether a quote would open a string. A quote behind a value that
/// has begun otherwise (1979-'x) opens none, whatever comes after it.
class Place {
public:
    [[nodiscard]] bool opens_string() const { return !value_begun_; }

    void after_string() { value_begun_ = in_value_; }

    void step(char c) {
        switch (c) {
        case ' ':
        case '\t':
        case '\r':
            return;
        case '\n':
            begin_item();
            return;
        case ',':
            if (!open_.empty()) {
                begin_item();
            }
            return;
        case '=':
            value_begun_ = in_value_; // a second one belongs to nothing
            in_value_ = true;
            return;
        case '[':
        case '{':
            open(c);
            return;
        case ']':
        case '}':
            close();
            return;
        default:
            value_begun_ = in_value_;
            return;
        }
    }

private:
    void begin_item() {
        in_value_ = !open_.empty() && open_.back() == '[';
        value_begun_ = false;
    }

    void open(char c) {
        if (in_value_ && !value_begun_) { // else a table's header, or out of place
            open_.push_back(c);
            begin_item();
        }
    }

    void close() {
        if (!open_.empty()) {
            open_.pop_back();
        }
        in_value_ = true;
        value_begun_ = true;
    }

    std::string open_; // brackets and braces around this place
    bool in_value_ = false;
    bool value_begun_ = false;
};

} // namespace

std::optional<TextPosition> find_beyond_ascii(std::string_view text) {
    constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
    std::size_t at = text.starts_with(byte_order_mark) ? byte_order_mark.size() : 0;
    Place place;
    while (at < text.size()) {
        const char c = text[at];
        if (c == '#') {
            at = std::min(text.find('\n', at), text.size());
        } else if ((c == '"' || c == '\'') && place.opens_string()) {
            at = after_string(text, at);
            place.after_string();
        } else if (static_cast<unsigned char>(c) > 0x7fU) {
            return position_of(text, at);
        } else {
            place.step(c);
            ++at;
        }
    }
    return std::nullopt;
}

} // namespace roomd
