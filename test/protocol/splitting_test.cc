// What a peer said must not depend on how the network cut it: every stream here is decoded whole,
// cut once at every place, cut twice at every pair of places where it is short, and one byte at a
// time.
#include "protocol/command.h"
#include "protocol/text.h"
#include "test/protocol/decoding.h"

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

using namespace roomd;
using roomd::test::By;
using roomd::test::decode;
using roomd::test::decode_by_two;
using roomd::test::dribble;
using roomd::test::frame;
using roomd::test::header;

namespace {

struct Stream {
    Framing framing;
    DecoderLimits limits;
    std::string bytes;
};

constexpr DecoderLimits usual{};
constexpr DecoderLimits small{24, 16};
constexpr std::size_t pairs_bytes_max = 64;

using Payloads = std::vector<std::string>;

/// What people and programs say, payload by payload.
const std::vector<Payloads>& conversations() {
    static const std::vector<Payloads> all = {
        {"hello"},
        {"hello", "/who", "/quit see you"},
        {"/hello 1 nick=ann echo=on", "/join ops last=10", "/say ops hi all", "/ping 42"},
        {"/join ops since=5f3a:17", "/leave ops", "/rooms"},
        {"//not a command", "/me waves", "/msg bob psst", "/topic ops Release at five"},
        {"", "a", "", "", "b"},
        {"/nick \xD0\xBE\xD0\xBB\xD1\x8F", "\xF0\x9F\x8E\x89 \xE2\x82\xAC 5", "/stats"},
        {"bad \xFF\xC0\x80 utf8", "good again"},
        {"tab\there", "bell\a", "\x1B[31mred\x1B[0m"},
        {"this one is longer than sixteen bytes, but", "short"},
        {"exactly sixteen.", "sixteen and one..", "ok"},
        {"carriage\rreturn", "\r", "x\r"},
        {"GET / HTTP/1.1", "Host: 127.0.0.1:8888", "", "/quit"},
        {"POST /a/very/long/way HTTP/1.1", "/say lobby driven by a web page"},
        {"GET /", "is how it began"},
        {"/", "/ ", "/nosuchthing at all", "/join", "/format event"},
    };
    return all;
}

std::string framed(const Payloads& payloads) {
    std::string bytes;
    for (const std::string& payload : payloads) {
        bytes += frame(payload);
    }
    return bytes;
}

std::string lined(const Payloads& payloads, std::string_view end) {
    std::string bytes;
    for (const std::string& payload : payloads) {
        bytes += payload;
        bytes += end;
    }
    return bytes;
}

void add_all(std::vector<Stream>& streams, const Payloads& payloads) {
    const std::string as_lines = lined(payloads, "\n");
    for (const DecoderLimits& limits : {usual, small}) {
        for (const Framing framing : {Framing::frame, Framing::automatic}) {
            streams.push_back({framing, limits, framed(payloads)});
        }
        streams.push_back({Framing::line, limits, as_lines});
        streams.push_back({Framing::automatic, limits, lined(payloads, "\r\n")});
        streams.push_back({Framing::line, limits, as_lines.substr(0, as_lines.size() - 1)});
    }
}

std::vector<Stream> written_streams() {
    std::vector<Stream> streams;
    for (const Payloads& payloads : conversations()) {
        add_all(streams, payloads);
    }
    for (const std::uint32_t length : {25U, 65'537U, (1U << 24U) - 1, 1U << 24U, 0xFFFFFFFFU}) {
        for (const DecoderLimits& limits : {usual, small}) {
            streams.push_back({Framing::frame, limits, frame("a") + header(length) + frame("b")});
            streams.push_back({Framing::automatic, limits, header(length) + std::string(40, 'x')});
        }
    }
    const std::string telnet("\xFF\xFB\x1F\xFF\xFA\x1F\x00\n\xFF\xFF\r\xFF\xF0\xFF\xFD\x06", 16);
    for (const std::string& bytes :
         {std::string("\xEF\xBB\xBF/join ops\r\nhi\n"),
          telnet + "a" + telnet + "b\r" + telnet + "\n", "\xEF" + telnet + "\xBB\xBF" + "a\n",
          std::string(17, 'x') + telnet + "y\r" + telnet + "\nz\n",
          std::string("a\r\0b\0\r\0\r\0", 9),
          std::string("sixteen bytes ok\r\0and more here ..\r\0x\n", 37),
          std::string("\r\n\r\n\0\r\nQUIT\nx\n", 14), std::string("\r\n\r\n\0\r\nQUI\r\n", 12),
          std::string("PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\nx\n"), std::string("SSH-2.0-x\r\nx\n"),
          std::string("GET /a b HTTP/1.1 \r\nx\n"), "sixteen bytes ok" + telnet + "\r\n",
          std::string("sixteen bytes ok\xFF\xFF\n"), std::string("half a command \xFF")}) {
        for (const DecoderLimits& limits : {usual, small, DecoderLimits{2, 1}}) {
            streams.push_back({Framing::line, limits, bytes});
            streams.push_back({Framing::automatic, limits, bytes});
        }
        streams.push_back({Framing::frame, usual, "\xEF\xBB\xBF" + frame("\xEF\xBB\xBF" + bytes)});
    }
    for (const char* first : {"\x16\x03\x01", "\xFF\xFB\x01", "\x7F", "\x80", "\xC1", "\xF5"}) {
        streams.push_back({Framing::automatic, usual, std::string(first) + "hello\n/quit\n"});
    }
    return streams;
}

/// The transcripts that also run against the daemon: any file of lines is a stream of lines.
std::vector<Stream> transcript_streams() {
    std::vector<Stream> streams;
    const std::filesystem::path folder = "test/transcripts";
    if (!std::filesystem::exists(folder)) {
        return streams;
    }
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        if (entry.path().extension() != ".chat") {
            continue;
        }
        std::ifstream file(entry.path(), std::ios::binary);
        Payloads payloads;
        for (std::string line; std::getline(file, line);) {
            payloads.push_back(line);
        }
        if (!payloads.empty()) {
            streams.push_back({Framing::frame, usual, framed(payloads)});
            streams.push_back({Framing::line, usual, lined(payloads, "\r\n")});
        }
    }
    return streams;
}

/// Streams that nobody would think of: pieces of everything above, in any order.
std::vector<Stream> drawn_streams(std::size_t count) {
    // The same streams each time. NOLINTNEXTLINE(cert-msc32-c,cert-msc51-cpp)
    std::mt19937 random(20'240'611);
    const auto below = [&random](std::size_t limit) { return random() % limit; };
    constexpr std::array<std::string_view, 24> pieces = {"a",
                                                         "\n",
                                                         "\r",
                                                         "\r\n",
                                                         "hello",
                                                         "/say ops ",
                                                         "\t",
                                                         "GET ",
                                                         " / ",
                                                         "HTTP/1.1",
                                                         "\xE2\x82\xAC",
                                                         "\xC3",
                                                         "0123456789abcdef",
                                                         " ",
                                                         std::string_view("\0", 1),
                                                         std::string_view("\r\0", 2),
                                                         "\xFF",
                                                         "\xFF\xFB\x1F",
                                                         "\xFF\xFA",
                                                         "\xFF\xF0",
                                                         "\xFF\xFD\x06",
                                                         "\xFF\xF4",
                                                         "\xEF\xBB\xBF",
                                                         "PROXY TCP4 "};
    std::vector<Stream> streams;
    while (streams.size() < count) {
        const bool frames = below(2) == 0;
        Stream stream{frames ? Framing::frame : Framing::line, below(2) == 0 ? usual : small, {}};
        for (std::size_t left = 1 + below(24); left > 0; --left) {
            std::string piece(pieces.at(below(pieces.size())));
            if (!frames) {
                stream.bytes += piece;
                continue;
            }
            for (std::size_t times = below(5); times > 0; --times) {
                piece += pieces.at(below(pieces.size()));
            }
            stream.bytes += below(8) == 0 ? frame("") : frame(piece);
        }
        if (below(4) == 0) {
            stream.framing = Framing::automatic;
        }
        if (below(4) == 0) { // the connection breaks off somewhere
            stream.bytes.resize(below(stream.bytes.size()) + 1);
        }
        streams.push_back(stream);
    }
    return streams;
}

bool same_when_cut_once(const Stream& stream) {
    const auto whole = decode(stream.framing, stream.limits, stream.bytes);
    for (std::size_t cut = 0; cut <= stream.bytes.size(); ++cut) {
        const std::array cuts = {cut};
        if (decode(stream.framing, stream.limits, stream.bytes, cuts) != whole) {
            return false;
        }
    }
    return dribble(stream.framing, stream.limits, stream.bytes) == whole;
}

bool same_when_cut_twice(const Stream& stream) {
    const auto whole = decode(stream.framing, stream.limits, stream.bytes);
    for (std::size_t first = 0; first <= stream.bytes.size(); ++first) {
        for (std::size_t second = first; second <= stream.bytes.size(); ++second) {
            const std::array cuts = {first, second};
            if (decode(stream.framing, stream.limits, stream.bytes, cuts) != whole) {
                return false;
            }
        }
    }
    return true;
}

bool same_when_handed_over(const Stream& stream) {
    const auto whole = decode(stream.framing, stream.limits, stream.bytes);
    for (std::size_t cut = 0; cut <= stream.bytes.size(); ++cut) {
        if (decode_by_two(stream.framing, stream.limits, stream.bytes, cut) != whole) {
            return false;
        }
    }
    return dribble(stream.framing, stream.limits, stream.bytes, By::many) == whole;
}

void check_all(const std::vector<Stream>& streams, std::size_t pairs_max) {
    std::size_t pairs = 0;
    for (std::size_t index = 0; index < streams.size(); ++index) {
        const Stream& stream = streams[index];
        CAPTURE(index);
        CAPTURE(quoted(stream.bytes, 400));
        CHECK(same_when_cut_once(stream));
        if (stream.bytes.size() <= pairs_bytes_max && pairs < pairs_max) {
            ++pairs;
            CHECK(same_when_cut_twice(stream));
        }
    }
}

/// Payloads as commands: what would be run, and what would be refused.
std::vector<std::string> meaning(const std::vector<std::string>& found) {
    std::vector<std::string> verbs;
    for (const std::string& each : found) {
        if (each.front() == '!') {
            verbs.push_back(each);
        } else if (!check_text(std::string_view{each}.substr(1)).valid) {
            verbs.emplace_back("bad_utf8");
        } else {
            const auto result = parse_command(std::string_view{each}.substr(1));
            const auto* const bad = std::get_if<BadCommand>(&result);
            verbs.emplace_back(bad != nullptr ? word(bad->code) : verb_of(std::get<0>(result)));
        }
    }
    return verbs;
}

} // namespace

TEST_CASE("Splitting: what was written by hand means the same however it is cut") {
    const std::vector<Stream> streams = written_streams();
    CHECK(streams.size() > 150);
    check_all(streams, streams.size());
}

TEST_CASE("Splitting: wherever another decoder goes on, what was written by hand means the same") {
    const std::vector<Stream> streams = written_streams();
    for (std::size_t index = 0; index < streams.size(); ++index) {
        CAPTURE(index);
        CHECK(same_when_handed_over(streams[index]));
    }
}

TEST_CASE("Splitting: wherever another decoder goes on, a thousand drawn streams mean the same") {
    const std::vector<Stream> streams = drawn_streams(1'000);
    for (std::size_t index = 0; index < streams.size(); ++index) {
        CAPTURE(index);
        CHECK(same_when_handed_over(streams[index]));
    }
}

TEST_CASE("Splitting: the transcripts mean the same however they are cut") {
    check_all(transcript_streams(), 100);
}

TEST_CASE("Splitting: a thousand drawn streams mean the same however they are cut") {
    check_all(drawn_streams(1'000), 150);
}

TEST_CASE("Splitting: a long line and a long frame mean the same however they are cut") {
    const std::string text(1'500, 'x');
    check_all({{Framing::line, usual, text + "\r\n" + text}, {Framing::frame, usual, frame(text)}},
              0);
}

TEST_CASE("Splitting: the same payloads are heard in both framings") {
    for (const Payloads& payloads : conversations()) {
        // A line cannot hold a CR at its end, and a web page speaks no frames.
        if (payloads.front() == "carriage\rreturn" || payloads.front().ends_with("HTTP/1.1")) {
            continue;
        }
        const auto by_frame = decode(Framing::frame, usual, framed(payloads));
        const auto by_line = decode(Framing::line, usual, lined(payloads, "\n"));
        CHECK(by_frame == by_line);
        CHECK(meaning(by_frame) == meaning(by_line));
        CHECK_FALSE(by_frame.empty());
    }
}
