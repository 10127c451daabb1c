#include "protocol/first_line.h"

#include <algorithm>
#include <array>

namespace roomd {

namespace {

// The states of RequestLine. Their numbers are saved: they keep their meaning for ever.
//
// Strict: METHOD SP TARGET SP HTTP/x.y. Between `version` and `matched` lie the eight characters
// of the version.
constexpr std::uint8_t method_first = 0; // the next byte must begin a method
constexpr std::uint8_t method = 1;
constexpr std::uint8_t target_first = 2;
constexpr std::uint8_t target = 3;
constexpr std::uint8_t version = 4;         // "H" comes next
constexpr std::uint8_t matched_strict = 12; // the line may end here
constexpr std::uint8_t matched_return = 13; // ... and so may it behind a CR
constexpr std::uint8_t no = 14;
// Loose, behind a known method: how much of " HTTP/0" is there.
constexpr std::uint8_t loose = 15;
constexpr std::string_view loose_version = " HTTP/0"; // a blank; a digit stands for any digit
constexpr std::uint8_t matched_loose = loose + loose_version.size();
constexpr std::uint8_t last_state = matched_loose;

constexpr std::string_view http_version = "HTTP/0.0"; // a digit stands for any digit
static_assert(version + http_version.size() == matched_strict);

constexpr std::array<std::string_view, 10> known_methods = {
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "PRI"};

constexpr std::array<std::string_view, 3> proxy_v1 = {"PROXY TCP4 ", "PROXY TCP6 ",
                                                      "PROXY UNKNOWN"};

constexpr bool is_digit(char byte) {
    return byte >= '0' && byte <= '9';
}

constexpr bool is_blank(char byte) {
    return byte == ' ' || byte == '\t';
}

/// RFC 9110, 5.6.2: what a method may be made of. '/' is not in it, so no command is ever one.
constexpr bool is_token(char byte) {
    return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') || is_digit(byte) ||
           std::string_view{"!#$%&'*+-.^_`|~"}.find(byte) != std::string_view::npos;
}

constexpr bool fits(char wanted, char byte) {
    return is_digit(wanted) ? is_digit(byte) : is_blank(wanted) ? is_blank(byte) : byte == wanted;
}

std::uint8_t advance_strict(std::uint8_t match, char byte) {
    switch (match) {
    case method_first:
    case method:
        if (is_token(byte)) {
            return method;
        }
        return match == method && byte == ' ' ? target_first : no;
    case target_first:
        return byte == ' ' ? no : target;
    case target:
        return byte == ' ' ? version : target;
    case matched_strict:
        return byte == '\r' ? matched_return : no;
    case matched_return:
    case no:
        return no;
    default:
        return fits(http_version[match - version], byte) ? static_cast<std::uint8_t>(match + 1)
                                                         : no;
    }
}

std::uint8_t advance_loose(std::uint8_t match, char byte) {
    if (match == matched_loose) {
        return matched_loose;
    }
    if (fits(loose_version[match - loose], byte)) {
        return static_cast<std::uint8_t>(match + 1);
    }
    return is_blank(byte) ? loose + 1 : loose;
}

/// The known method that `line` begins with, if a blank follows it.
std::string_view known_method_of(std::string_view line) {
    for (const std::string_view known : known_methods) {
        if (line.starts_with(known) && line.size() > known.size() && is_blank(line[known.size()])) {
            return known;
        }
    }
    return {};
}

/// NAME SP TARGET SP PROTOCOL/x.y, as RTSP (RFC 7826), SIP (RFC 3261) and ICY write it.
bool is_request_of_others(std::string_view line) {
    const std::size_t blank = line.find_last_of(' ');
    if (blank == std::string_view::npos || blank == 0 ||
        line.substr(0, blank).find(' ') == std::string_view::npos) {
        return false;
    }
    const std::string_view last = line.substr(blank + 1);
    return last == "RTSP/1.0" || last == "RTSP/2.0" || last == "SIP/2.0" || last == "ICY/1.0";
}

} // namespace

void RequestLine::follow(std::string_view bytes, bool whole_start) {
    if (match_ == method_first && whole_start) {
        if (const std::string_view known = known_method_of(bytes); !known.empty()) {
            match_ = loose;
            bytes.remove_prefix(known.size());
        }
    }
    for (std::size_t at = 0; at < bytes.size() && match_ != no && match_ != matched_loose; ++at) {
        match_ =
            match_ < loose ? advance_strict(match_, bytes[at]) : advance_loose(match_, bytes[at]);
    }
}

bool RequestLine::matched() const {
    return match_ == matched_strict || match_ == matched_return || match_ == matched_loose;
}

bool RequestLine::known_method() const {
    return match_ >= loose;
}

bool RequestLine::restore(std::uint8_t saved) {
    if (saved > last_state) {
        return false;
    }
    match_ = saved;
    return true;
}

ForeignLine foreign_line(std::string_view line) {
    if (std::any_of(proxy_v1.begin(), proxy_v1.end(),
                    [line](std::string_view header) { return line.starts_with(header); })) {
        return ForeignLine::proxy;
    }
    // RFC 4253, 4.2.
    if (line.starts_with("SSH-2.0-") || line.starts_with("SSH-1.") || is_request_of_others(line)) {
        return ForeignLine::other;
    }
    return ForeignLine::none;
}

bool may_become_foreign(std::string_view so_far) {
    constexpr std::size_t method_min = 3; // "GET", "PUT", "PRI": less than that is anything
    const auto begins = [so_far](std::string_view known) {
        return so_far.size() >= method_min && known.starts_with(so_far);
    };
    return !known_method_of(so_far).empty() ||
           std::any_of(known_methods.begin(), known_methods.end(), begins) ||
           std::any_of(proxy_v1.begin(), proxy_v1.end(), [&](std::string_view header) {
               return so_far.starts_with(header) || begins(header);
           });
}

} // namespace roomd
