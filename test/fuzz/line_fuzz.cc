// Any bytes, as lines: cut where the first bytes say, flushed where they say so too, and compared
// with a reader that has the whole stream in hand.
#include "protocol/decoder.h"
#include "test/fuzz/check.h"
#include "test/protocol/decoding.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

using namespace roomd;

namespace {

bool is_token(std::string_view word) {
    constexpr std::string_view allowed = "!#$%&'*+-.^_`|~0123456789"
                                         "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    return !word.empty() && word.find_first_not_of(allowed) == std::string_view::npos;
}

/// Behind a known method and a blank: a blank, "HTTP/" and a digit, anywhere.
bool is_loose_http(std::string_view line) {
    const std::size_t blank = line.find_first_of(" \t");
    if (blank == std::string_view::npos) {
        return false;
    }
    bool known = false;
    for (const std::string_view method :
         {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "PRI"}) {
        known = known || line.substr(0, blank) == method;
    }
    for (std::size_t at = blank; known && at + 6 < line.size(); ++at) {
        if ((line[at] == ' ' || line[at] == '\t') && line.substr(at + 1, 5) == "HTTP/" &&
            line[at + 6] >= '0' && line[at + 6] <= '9') {
            return true;
        }
    }
    return false;
}

/// What the model below knows nothing of: telnet, CR NUL, marks, and others' first lines.
bool is_plain(std::string_view stream) {
    for (const std::string_view piece :
         {std::string_view{"\xFF"}, std::string_view{"\0", 1}, std::string_view{"\xEF"},
          std::string_view{"PROXY "}, std::string_view{"SSH-"}, std::string_view{"RTSP/"},
          std::string_view{"SIP/"}, std::string_view{"ICY/"}}) {
        if (stream.find(piece) != std::string_view::npos) {
            return false;
        }
    }
    return true;
}

/// METHOD SP TARGET SP HTTP/x.y, by splitting.
bool is_http(std::string_view line) {
    if (is_loose_http(line)) {
        return true;
    }
    if (line.ends_with('\r')) {
        line.remove_suffix(1);
    }
    const std::size_t first = line.find(' ');
    const std::size_t second = line.find(' ', first == std::string_view::npos ? first : first + 1);
    if (second == std::string_view::npos || second == first + 1) {
        return false;
    }
    const std::string_view version = line.substr(second + 1);
    const auto digit = [&](std::size_t at) { return version[at] >= '0' && version[at] <= '9'; };
    return is_token(line.substr(0, first)) && version.size() == 8 && version.starts_with("HTTP/") &&
           digit(5) && version[6] == '.' && digit(7);
}

/// Lines, slowly: every step looks at the whole rest of the stream.
std::vector<std::string> slow_lines(std::string_view stream, std::size_t limit) {
    std::vector<std::string> found;
    bool first = true;
    while (!stream.empty()) {
        const std::size_t newline = stream.find('\n');
        const bool ended = newline != std::string_view::npos;
        const std::string_view whole = stream.substr(0, newline);
        std::string_view line = whole;
        stream.remove_prefix(ended ? newline + 1 : stream.size());
        if (ended && line.ends_with('\r')) {
            line.remove_suffix(1);
        }
        if (line.empty()) {
            continue;
        }
        const bool http = first && is_http(line.size() > limit ? whole : line);
        first = false;
        if (line.size() > limit) {
            found.emplace_back("!too_large");
        }
        if (http) {
            found.emplace_back("!http");
            break;
        }
        if (line.size() <= limit) {
            found.push_back("=" + std::string(line));
        }
    }
    return found;
}

/// All that was heard, without what a flush decides: where a line ends.
std::string joined(const std::vector<std::string>& found) {
    std::string all;
    for (const std::string& each : found) {
        all += each.front() == '=' ? each.substr(1) : std::string();
    }
    return all;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input(data, size);
    const DecoderLimits limits{64, input.byte()};
    const std::vector<std::size_t> cuts = input.cuts();
    const std::string_view stream = input.rest();

    const std::vector<std::string> expected =
        is_plain(stream) && limits.line_bytes_max >= known_method_bytes
            ? slow_lines(stream, limits.line_bytes_max)
            : test::decode(Framing::line, limits, stream);
    fuzz::check(test::decode(Framing::line, limits, stream, cuts) == expected);
    fuzz::check(test::dribble(Framing::line, limits, stream) == expected);
    fuzz::check(test::dribble(Framing::line, limits, stream, test::By::many) == expected);
    const std::vector<std::string> detected =
        test::decode(Framing::automatic, limits, stream, cuts);
    fuzz::check(detected == test::dribble(Framing::automatic, limits, stream));

    // A flush at each cut: no payload grows over the limit, and no byte is heard twice or made up.
    test::Decoding flushed(Framing::line, limits);
    std::size_t from = 0;
    for (const std::size_t cut : cuts) {
        flushed.feed(stream.substr(from, cut - from));
        flushed.flush();
        from = cut;
    }
    flushed.feed(stream.substr(from));
    flushed.finish();
    std::string_view left = stream;
    bool refused = false;
    for (const std::string& each : flushed.found()) {
        refused = refused || each.front() == '!';
        fuzz::check(each.front() != '=' || each.size() - 1 <= limits.line_bytes_max);
    }
    if (!refused) {
        for (const char byte : joined(flushed.found())) { // answers are left out
            const std::size_t at = left.find(byte);
            fuzz::check(at != std::string_view::npos);
            left.remove_prefix(at + 1);
        }
    }
    return 0;
}
