#include "protocol/decoder.h"

#include "protocol/line_scan.h"
#include "test/protocol/decoding.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

using namespace roomd;
using roomd::test::decode;
using roomd::test::Decoding;
using roomd::test::dribble;
using roomd::test::frame;
using roomd::test::header;

namespace {

using Found = std::vector<std::string>;

const DecoderLimits usual{};
const DecoderLimits small{16, 8};

std::string text_of(const Found& found) {
    std::string all;
    for (const std::string& each : found) {
        all += each + "|";
    }
    return all;
}

/// Whole and one byte at a time, which must agree.
std::string lines(std::string_view stream, const DecoderLimits& limits = usual,
                  Framing framing = Framing::line) {
    std::string whole = text_of(decode(framing, limits, stream));
    CHECK(whole == text_of(dribble(framing, limits, stream)));
    return whole;
}

std::string frames(std::string_view stream, const DecoderLimits& limits = usual) {
    return lines(stream, limits, Framing::frame);
}

std::string detected(std::string_view stream, const DecoderLimits& limits = usual) {
    return lines(stream, limits, Framing::automatic);
}

/// The line rules once more, slowly and over the whole stream, to compare with (P3).
Found slow_lines(std::string_view stream, std::size_t limit) {
    Found found;
    while (!stream.empty()) {
        const std::size_t newline = stream.find('\n');
        const bool ended = newline != std::string_view::npos;
        std::string_view line = stream.substr(0, newline);
        stream.remove_prefix(ended ? newline + 1 : stream.size());
        if (ended && line.ends_with('\r')) {
            line.remove_suffix(1);
        }
        if (line.size() > limit) {
            found.emplace_back("!too_large");
        } else if (!line.empty()) {
            found.push_back("=" + std::string(line));
        }
    }
    return found;
}

} // namespace

TEST_CASE("Decoder: several frames in one piece and one frame in many are the same frames") {
    CHECK(frames(frame("one") + frame("two") + frame("three")) == "=one|=two|=three|");
}

TEST_CASE("Decoder: a frame of length zero is a keep-alive") {
    CHECK(frames(frame("") + frame("") + frame("x") + frame("")) == "=x|");
}

TEST_CASE("Decoder: a frame's payload may hold line ends and zeros") {
    const std::string odd("a\0\r\n\xFF", 5);
    CHECK(frames(frame(odd)) == "=" + odd + "|");
}

TEST_CASE("Decoder: every declared length is judged by its header alone") {
    struct Row {
        std::uint32_t length;
        const char* found;
    };

    const Row table[] = {
        {0, ""},
        {usual.frame_bytes_max + 1, "!too_large|"},
        {frame_bytes_ceiling, "!too_large|"},
        {frame_bytes_ceiling + 1, "!bad_frame|"},
        {0x7FFFFFFF, "!bad_frame|"},
        {0x80000000, "!bad_frame|"},
        {0xFFFFFFFC, "!bad_frame|"},
        {0xFFFFFFFF, "!bad_frame|"},
    };
    for (const Row& row : table) {
        CAPTURE(row.length);
        Decoding decoding(Framing::frame, usual);
        decoding.feed(header(row.length));
        CHECK(text_of(decoding.found()) == row.found);
        CHECK(decoding.wanted() <= frame_header_bytes); // nothing so long is ever waited for
        CHECK(frames(header(row.length) + std::string(3, 0)) == row.found + std::string());
    }
}

TEST_CASE("Decoder: a frame of exactly the limit passes and says how much it needs") {
    const std::string most(small.frame_bytes_max, 'm');
    CHECK(frames(frame(most), small) == "=" + most + "|");
    Decoding decoding(Framing::frame, small);
    decoding.feed(header(small.frame_bytes_max));
    CHECK(decoding.wanted() == frame_header_bytes + small.frame_bytes_max);
    CHECK(decoding.partial());
}

TEST_CASE("Decoder: an oversized frame is skipped and the next one is heard") {
    const std::string more(small.frame_bytes_max + 1, 'm');
    CHECK(frames(frame("a") + frame(more) + frame("b"), small) == "=a|!too_large|=b|");
    CHECK(frames(frame(std::string(70'000, 'm')) + frame("b")) == "!too_large|=b|");
}

TEST_CASE("Decoder: while an oversized frame is skipped nothing of it is kept") {
    Decoding decoding(Framing::frame, small);
    decoding.feed(header(1'000'000));
    CHECK(decoding.partial());
    decoding.feed(std::string(999'999, 'x'));
    CHECK(decoding.partial());
    CHECK(decoding.wanted() == 1);
    decoding.feed("x");
    CHECK_FALSE(decoding.partial());
    decoding.feed(frame("on"));
    CHECK(text_of(decoding.found()) == "!too_large|=on|");
}

TEST_CASE("Decoder: after a fatal violation everything is discarded") {
    CHECK(frames(header(1U << 24U) + frame("no") + frame("no")) == "!bad_frame|");
    Decoding decoding(Framing::automatic, usual);
    decoding.feed(std::string_view("\x16\x03\x01", 3));
    decoding.feed("/quit\n");
    CHECK(text_of(decoding.found()) == "!tls|");
    CHECK_FALSE(decoding.partial());
}

TEST_CASE("Decoder: a frame that the end of stream cuts off is nothing") {
    CHECK(frames(frame("whole") + header(5) + "cut") == "=whole|");
    CHECK(frames(frame("whole") + std::string("\0\0", 2)) == "=whole|");
}

TEST_CASE("Decoder: a line ends at LF or CR LF, and a bare CR is data") {
    CHECK(lines("a\nb\r\nc\rd\n\re\n") == "=a|=b|=c\rd|=\re|");
    CHECK(lines("a\r\r\n") == "=a\r|");
}

TEST_CASE("Decoder: an empty line is a keep-alive") {
    CHECK(lines("\n\r\n\na\n\n") == "=a|");
}

TEST_CASE("Decoder: the last line counts without a line end, a CR at its end is data") {
    CHECK(lines("a\nb") == "=a|=b|");
    CHECK(lines("a\nb\r") == "=a|=b\r|");
    CHECK(lines("a\n") == "=a|");
    CHECK(lines("") == "");
}

TEST_CASE("Decoder: lines of every length around the limit, with every line end at every place") {
    const std::string_view ends[] = {"\n", "\r\n", "\r", ""};
    constexpr std::uint32_t limit = 5;
    const DecoderLimits limits{16, limit};
    std::size_t count = 0;
    for (std::size_t length = 0; length <= limit + 2; ++length) {
        for (std::size_t place = 0; place <= length; ++place) {
            for (const std::string_view inner : ends) {
                for (const std::string_view outer : ends) {
                    std::string stream(length, 'x');
                    stream.insert(place, inner);
                    stream += outer;
                    stream += "tail";
                    const Found expected = slow_lines(stream, limit);
                    CAPTURE(stream);
                    CHECK(decode(Framing::line, limits, stream) == expected);
                    CHECK(dribble(Framing::line, limits, stream) == expected);
                    ++count;
                }
            }
        }
    }
    CHECK(count == 36 * 16);
}

TEST_CASE("Decoder: all streams of a few letters, CR and LF are cut as the slow rules cut them") {
    constexpr std::string_view alphabet = "x\r\n";
    const DecoderLimits limits{16, 2};
    std::size_t streams = 1;
    for (std::size_t length = 0; length <= 7; ++length, streams *= alphabet.size()) {
        for (std::size_t number = 0; number < streams; ++number) {
            std::string stream;
            for (std::size_t rest = number; stream.size() < length; rest /= alphabet.size()) {
                stream.push_back(alphabet[rest % alphabet.size()]);
            }
            const Found expected = slow_lines(stream, limits.line_bytes_max);
            if (decode(Framing::line, limits, stream) != expected ||
                dribble(Framing::line, limits, stream) != expected) {
                FAIL_CHECK("differs: " << stream.size() << " bytes, number " << number);
            }
        }
    }
}

TEST_CASE("Decoder: an oversized line is refused once, as soon as it is known to be too long") {
    CHECK(lines("12345678\n123456789\nok\n", small) == "=12345678|!too_large|=ok|");
    Decoding decoding(Framing::line, small);
    decoding.feed("123456789");
    CHECK(text_of(decoding.found()) == "!too_large|");
    CHECK(decoding.partial());
    decoding.feed(std::string(100'000, 'x'));
    CHECK(text_of(decoding.found()) == "!too_large|");
    decoding.feed("\nok\n");
    CHECK(text_of(decoding.found()) == "!too_large|=ok|");
    CHECK_FALSE(decoding.partial());
}

TEST_CASE("Decoder: the CR of a CR LF does not count, another one does") {
    CHECK(lines("12345678\r\n", small) == "=12345678|");
    CHECK(lines("12345678\r", small) == "!too_large|");
    CHECK(lines("1234567\r", small) == "=1234567\r|");
}

TEST_CASE("Decoder: a line that drips in is searched only where it is new") {
    Decoder decoder(Framing::line, usual);
    CHECK(std::holds_alternative<NeedMore>(decoder.next("abc")));
    // Bytes do not change under a decoder; here they do, to see that it does not look again.
    CHECK(std::holds_alternative<NeedMore>(decoder.next("\n\n\nd")));
    const Step step = decoder.next("\n\n\nd\n");
    REQUIRE(std::holds_alternative<Payload>(step));
    CHECK(std::get<Payload>(step).text == "\n\n\nd");
}

TEST_CASE("Decoder: a limit that a reload lowers holds for the line that is on its way") {
    DecoderLimits limits{16, 100};
    Decoding decoding(Framing::line, limits);
    decoding.feed(std::string(50, 'x'));
    limits.line_bytes_max = 10;
    decoding.feed("y\nok\n");
    CHECK(text_of(decoding.found()) == "!too_large|=ok|");
}

TEST_CASE("Decoder: the first byte decides, for every one of the 256") {
    for (unsigned value = 0; value < 256; ++value) {
        CAPTURE(value);
        Decoding decoding(Framing::automatic, usual);
        decoding.feed(std::string(1, static_cast<char>(value)));
        const bool line = (value >= 0x20 && value < 0x7F) || value == 0x09 || value == 0x0D ||
                          value == 0x0A || (value >= 0xC2 && value <= 0xF4);
        // Behind these more is needed: a byte order mark may stand before both framings, and IAC
        // before the name of a telnet command.
        const bool waits = value == 0xEF || value == 0xFF;
        const std::string expected = line || waits || value == 0 ? ""
                                     : value == 0x16             ? "!tls|"
                                                                 : "!unknown_protocol|";
        CHECK(text_of(decoding.found()) == expected);
        CHECK(decoding.decoder().framing() == (value == 0       ? Framing::frame
                                               : line && !waits ? Framing::line
                                                                : Framing::automatic));
    }
}

TEST_CASE("Decoder: what was decided stays decided") {
    CHECK(detected(frame("a") + frame("b")) == "=a|=b|");
    CHECK(detected("a\n" + frame("b") + "\n") == "=a|=" + frame("b") + "|");
    CHECK(detected("\n\na\n") == "=a|");
}

TEST_CASE("Decoder: an HTTP request line is refused, and no line behind it is heard") {
    for (const std::string method :
         {"GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT", "PRI", "M-SEARCH", "patch"}) {
        for (const std::string target : {"/", "*", "localhost:8888", "http://x/?a=b", "/a%20b"}) {
            for (const std::string version : {"HTTP/1.1", "HTTP/1.0", "HTTP/2.0"}) {
                std::string line = method;
                line.append(" ").append(target).append(" ").append(version);
                CAPTURE(line);
                CHECK(detected(line + "\r\nHost: x\r\n\r\n/quit\r\n") == "!http|");
                CHECK(lines(line + "\n/quit\n") == "!http|");
                CHECK(lines("\r\n" + line + "\n/quit\n") == "!http|");
                CHECK(lines(line) == "!http|");
                CHECK(lines(line + "\r") == "!http|");
            }
        }
    }
}

TEST_CASE("Decoder: of a method that is known every spelling of a request line is refused") {
    for (const std::string line : {"GET\t/\tHTTP/1.1", "GET  / HTTP/1.1", "GET / HTTP/1.1 ",
                                   "GET /a b HTTP/1.1", "POST / HTTP/1.10", "GET / HTTP/1.1\rX: y",
                                   "HEAD / HTTP/11", "PRI * HTTP/2.0", "PATCH HTTP/1.1"}) {
        CAPTURE(line);
        CHECK(detected(line + "\r\nHost: x\r\n\r\n/quit\r\n") == "!http|");
        CHECK(lines(line) == "!http|");
    }
}

TEST_CASE("Decoder: an HTTP request line over the limit is known at its end") {
    const std::string line = "GET /" + std::string(5'000, 'a') + " HTTP/1.1";
    CHECK(detected(line + "\r\n/quit\n") == "!too_large|!http|");
    CHECK(detected(line) == "!too_large|!http|");
    CHECK(detected(line + "x\nhello\n") == "!too_large|!http|"); // of a known method
    CHECK(detected("x" + line + "x\nhello\n") == "!too_large|=hello|");
    CHECK(lines("GET / HTTP/1.1\r\n/quit\n", {16, 13}) == "!too_large|!http|");
    CHECK(lines("GET / HTTP/1.1\r\n/quit\n", {16, 1}) == "!too_large|!http|");
}

TEST_CASE("Decoder: what only looks a little like HTTP is talk") {
    for (const std::string line :
         {"LOOK / HTTP/1.1 ", " GET / HTTP/1.1", "LOOK  HTTP/1.1", "GET / http/1.1",
          "LOOK / HTTP/11", "LOOK / HTTP/1.x", "HTTP/1.1", "GET /", "/say lobby HTTP/1.1",
          "i like my HTTP/1.1", "LOOK / HTTP/1.1\rx", "GETS / HTTP/1.1 ", "GET / HTTP/x"}) {
        CAPTURE(line);
        CHECK(lines(line + "\n") == "=" + line + "|");
    }
    CHECK(lines("hello\nGET / HTTP/1.1\n") == "=hello|=GET / HTTP/1.1|"); // not the first line
}

TEST_CASE("Decoder: flush makes a line of what is there, and swallows the line end that follows") {
    for (const std::string_view end : {"\n", "\r\n", ""}) {
        Decoding decoding(Framing::line, usual);
        decoding.feed("hel");
        decoding.flush();
        decoding.feed(end);
        decoding.feed("lo\n");
        CHECK(text_of(decoding.found()) == "=hel|=lo|");
    }
}

TEST_CASE("Decoder: flush makes no line that is longer than the limit") {
    constexpr DecoderLimits one{16, 1};
    Decoding decoding(Framing::line, one);
    decoding.feed("\xEF\xBB"); // it might have become a byte order mark
    decoding.flush();
    CHECK(text_of(decoding.found()) == "!too_large|");
    decoding.feed("x\ny\n");
    CHECK(text_of(decoding.found()) == "!too_large|=y|");
}

TEST_CASE("Decoder: flush between CR and LF cuts no line in two") {
    Decoding decoding(Framing::line, usual);
    decoding.feed("hello\r");
    decoding.flush();
    decoding.feed("\n");
    CHECK(text_of(decoding.found()) == "=hello|");
    decoding.feed("on");
    decoding.flush();
    decoding.feed("\r");
    CHECK(decoding.partial());
    decoding.flush();
    CHECK_FALSE(decoding.partial());
    decoding.feed("\nand on\n");
    CHECK(text_of(decoding.found()) == "=hello|=on|=and on|");
}

TEST_CASE("Decoder: after a flush a CR that begins a text is data") {
    Decoding decoding(Framing::line, usual);
    decoding.feed("a");
    decoding.flush();
    decoding.feed("\rb\n");
    CHECK(text_of(decoding.found()) == "=a|=\rb|");
}

TEST_CASE("Decoder: flush of nothing is nothing") {
    Decoding decoding(Framing::line, usual);
    decoding.flush();
    decoding.feed("a\n");
    decoding.flush();
    decoding.feed("\nb\n"); // an empty line of its own, not the end of a flushed one
    CHECK(text_of(decoding.found()) == "=a|=b|");
    CHECK(std::holds_alternative<NeedMore>(Decoder(Framing::frame, usual).flush_line("")));
}

TEST_CASE(
    "Decoder: flush ends an oversized line, so that a client without line ends is heard again") {
    Decoding decoding(Framing::line, small);
    decoding.feed("far too long a line");
    decoding.flush();
    CHECK_FALSE(decoding.partial());
    decoding.feed("next");
    decoding.flush();
    CHECK(text_of(decoding.found()) == "!too_large|=next|");
}

TEST_CASE("Decoder: a flushed HTTP request line is one all the same") {
    Decoding decoding(Framing::line, usual);
    decoding.feed("GET / HTTP/1.1");
    decoding.flush();
    decoding.feed("\r\n/quit\n");
    CHECK(text_of(decoding.found()) == "!http|");
}

TEST_CASE("Decoder: a flush in an HTTP request line makes commands of nothing behind it") {
    for (const std::string& first :
         {std::string("POST /upload"), std::string("POST "), std::string("GET"), std::string("OPT"),
          "PUT /" + std::string(99, 'a')}) {
        Decoding decoding(Framing::line, small);
        decoding.feed(first);
        const Found before = decoding.found();
        decoding.flush();
        CHECK(decoding.found() == before); // held: nothing is said
        CHECK(decoding.partial());
        decoding.feed(first == "OPT" ? "IONS * HTTP/1.1\r\nHost: x\r\n\r\n/nick evil\r\n"
                                     : " / HTTP/1.1\r\nHost: x\r\n\r\n/nick evil\r\n");
        decoding.flush();
        CHECK(text_of(decoding.found()).ends_with("!http|"));
        CHECK(text_of(decoding.found()).find('=') == std::string::npos);
    }
    // Of a method that nobody knows the pieces are said, but nothing behind the line's end is
    // heard.
    Decoding decoding(Framing::line, usual);
    for (const char* piece : {"LOOK", " /here", " HTTP/1.", "1"}) {
        decoding.feed(piece);
        decoding.flush();
    }
    decoding.feed("\r\n/nick evil\n");
    CHECK(text_of(decoding.found()) == "=LOOK|= /here|= HTTP/1.|!http|");
}

TEST_CASE("Decoder: an empty flushed line does not end the first one") {
    Decoding decoding(Framing::line, usual);
    decoding.feed("\r");
    decoding.flush();
    decoding.feed("\nGET / HTTP/1.1\r\n/quit\n");
    CHECK(text_of(decoding.found()) == "!http|");
}

TEST_CASE("Decoder: a byte order mark before the first payload is no text") {
    const std::string mark = "\xEF\xBB\xBF";
    CHECK(lines(mark + "/join ops\r\nhello\r\n") == "=/join ops|=hello|");
    CHECK(detected(mark + "/join ops\r\nhello\r\n") == "=/join ops|=hello|");
    CHECK(detected("\r\n" + mark + "/join ops\n") == "=/join ops|");
    CHECK(lines(mark + "GET / HTTP/1.1\r\n/quit\n") == "!http|");
    CHECK(lines("a\n" + mark + "b\n") == "=a|=" + mark + "b|");
    CHECK(lines(mark + "\na\n") == "=a|");
    CHECK(lines(mark) == "");
    CHECK(lines(mark + "12345678\n", small) == "=12345678|"); // it does not count
    CHECK(lines(mark.substr(0, 2) + "\n") == "=" + mark.substr(0, 2) + "|");
    // In frames: inside the first one, and by programs that write it before whatever they write.
    for (const Framing framing : {Framing::frame, Framing::automatic}) {
        CHECK(lines(frame(mark + "/hello 1") + frame("b"), usual, framing) == "=/hello 1|=b|");
        CHECK(lines(mark + frame("/hello 1") + frame("b"), usual, framing) == "=/hello 1|=b|");
        CHECK(lines(frame(mark) + frame(mark + "a") + frame("b"), usual, framing) == "=a|=b|");
        CHECK(lines(frame("a") + frame(mark + "b"), usual, framing) == "=a|=" + mark + "b|");
        CHECK(lines(mark, usual, framing) == "");
    }
    CHECK(frames(mark + "text") == "!bad_frame|");
    CHECK(detected("\xEF\xBC\xA1nn\n") == "=\xEF\xBC\xA1nn|"); // full-width A
}

TEST_CASE("Decoder: a payload that was not consumed is shown again without its mark") {
    Decoder decoder(Framing::frame, usual);
    const std::string bytes = frame("\xEF\xBB\xBF/hello 1");
    for (int turn = 0; turn < 2; ++turn) {
        const Step step = decoder.next(bytes);
        REQUIRE(std::holds_alternative<Payload>(step));
        CHECK(std::get<Payload>(step).text == "/hello 1");
    }
}

TEST_CASE("Decoder: CR NUL ends a line as CR LF does") {
    const std::string end("\r\0", 2);
    CHECK(lines("a" + end + "b" + end + "\r\n" + end + "c\r\n") == "=a|=b|=c|");
    CHECK(lines("12345678" + end + "123456789" + end + "ok\n", small) ==
          "=12345678|!too_large|=ok|");
    CHECK(lines(std::string(40, 'x') + end + "ok" + end, small) == "!too_large|=ok|");
    const std::string zero("a\0b\n", 4);
    CHECK(lines(zero) == "=" + zero.substr(0, 3) + "|"); // a NUL alone is data, and no text
    CHECK(lines("GET / HTTP/1.1" + end + "/quit" + end) == "!http|");
    Decoding decoding(Framing::line, usual);
    decoding.feed("prompt");
    decoding.flush();
    decoding.feed(end + "next" + end);
    CHECK(text_of(decoding.found()) == "=prompt|=next|");
}

TEST_CASE("Decoder: telnet's options are refused once each, and are no text") {
    const std::string putty("\xFF\xFB\x1F\xFF\xFB\x20\xFF\xFD\x01\xFF\xFD\x03", 12);
    CHECK(detected(putty + "/ping first\r\n") ==
          "?\xFF\xFE\x1F|?\xFF\xFE\x20|?\xFF\xFC\x01|?\xFF\xFC\x03|=/ping first|");
    // What is given up is not answered: two that do would go on for ever.
    CHECK(lines("\xFF\xFC\x01\xFF\xFE\x01hello\n") == "=hello|");
    CHECK(lines("he\xFF\xFD\x18llo\n") == "?\xFF\xFC\x18|=hello|");
    CHECK(lines("hello\r\xFF\xF1\nyou\n") == "=hello|=you|");
}

TEST_CASE("Decoder: a client that asks again after each refusal is refused so many times") {
    std::string asks;
    for (std::uint32_t count = 0; count < telnet_answers_max * 3; ++count) {
        asks += "\xFF\xFB\x01";
    }
    const Found found = decode(Framing::line, usual, asks + "\xFF\xF6\xFF\xFD\x06hello\n");
    CHECK(found.size() == telnet_answers_max + 2);
    CHECK(found[telnet_answers_max] == "?\xFF\xFB\x06"); // a timing mark is no option
    CHECK(found.back() == "=hello");
}

TEST_CASE("Decoder: a Ctrl-C of telnet is answered with its timing mark and is no text") {
    CHECK(lines("\xFF\xF4\xFF\xFD\x06\n/ping after\n") == "?\xFF\xFB\x06|=/ping after|");
    CHECK(lines("half\xFF\xF4\xFF\xFD\x06 a line\n") == "?\xFF\xFB\x06|=half a line|");
    CHECK(lines("\xFF\xF3\xFF\xF2\xFF\xF1\xFF\xF9x\n") == "=x|");
    CHECK(lines("\xFF\xF6x\n") == "?here|=x|");
    // PuTTY's data mark is urgent data, which TCP takes out of the stream: its IAC stands alone.
    CHECK(lines("\xFF\xF4\xFF/ping after\n") == "=/ping after|");
}

TEST_CASE("Decoder: what an option negotiates is no text, however long, and ends no line") {
    const std::string size("\xFF\xFA\x1F\x00\x0A\x00\x18\xFF\xF0", 9);
    CHECK(lines("a" + size + "b\n") == "=ab|");
    CHECK(lines("\xFF\xFA\x18\xFF\xFF\n\xFF\xF0ok\n") == "=ok|");
    CHECK(lines("ok\xFF\xFA\x18" + std::string(100, '\n') + "\xFF\xF0!\n", small) == "=ok!|");
    CHECK(lines(std::string(40, 'x') + "\xFF\xFA\n\xFF\xF0\nok\n", small) == "!too_large|=ok|");
    Decoding decoding(Framing::line, small);
    decoding.feed("\xFF\xFA\x18" + std::string(1'000, 'x'));
    CHECK(decoding.partial());
    CHECK(decoding.wanted() == 1); // none of it is kept
    decoding.feed("\xFF\xF0");
    CHECK_FALSE(decoding.partial());
}

TEST_CASE("Decoder: an IAC that begins no command is data, which is no text") {
    CHECK(lines("a\xFF\xFF\xF4z\n") == "=a\xFF\xFF\xF4z|");
    CHECK(lines("\xFFz\n") == "=\xFFz|");
    CHECK(detected("\xFFz\n") == "!unknown_protocol|");
    CHECK(detected(std::string("\xFF\0\0\0\0\0\0\0\1\x7F", 10)) == "!unknown_protocol|"); // ZMTP
    CHECK(lines("7 bytes\xFF\xFF\nok\n", small) == "!too_large|=ok|");
}

TEST_CASE("Decoder: the header of a proxy is refused and nothing of it said") {
    const std::string second("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0C", 16);
    for (const std::string& header :
         {std::string("PROXY TCP4 203.0.113.7 192.0.2.1 56324 443\r\n"),
          std::string("PROXY TCP6 ::1 ::1 1 2\r\n"), std::string("PROXY UNKNOWN\r\n"), second}) {
        CAPTURE(header);
        CHECK(lines(header + "/join ops\r\nhello\r\n") == "!proxy|");
        CHECK(detected(header + "/join ops\r\nhello\r\n") == "!proxy|");
        CHECK(lines("a\n" + header).starts_with("=a|="));
    }
    CHECK(lines("PROXY TCP4 " + std::string(200, '1') + "\r\nx\n", {16, 100}) == "!proxy|");
    // Under a limit in which it has no place it is a long line, however it is cut.
    CHECK(lines("PROXY TCP4 " + std::string(200, '1') + "\r\nx\n", {16, 9}) == "!too_large|=x|");
    CHECK(lines("PROXY is what I need\n") == "=PROXY is what I need|");
    CHECK(lines(std::string("\r\n\r\n\0\r\nQUIET\n", 13)) == std::string("=\0|=QUIET|", 10));
}

TEST_CASE("Decoder: the first words of SSH, RTSP, SIP and ICY are refused") {
    for (const std::string first : {"SSH-2.0-OpenSSH_9", "SSH-1.99-x", "OPTIONS rtsp://a RTSP/1.0",
                                    "INVITE sip:a SIP/2.0", "GET / ICY/1.0"}) {
        CAPTURE(first);
        CHECK(detected(first + "\r\n/quit\r\n") == "!unknown_protocol|");
        CHECK(lines("hello\n" + first + "\n") == "=hello|=" + first + "|");
    }
    for (const std::string talk : {"SSH is what I use", "EHLO all", "RTSP/1.0", "go RTSP/1.0"}) {
        CHECK(lines(talk + "\n") == "=" + talk + "|");
    }
}

TEST_CASE("Decoder: the search finds each special byte at every place among every other byte") {
    for (unsigned value = 0; value < 256; ++value) {
        const char filling = static_cast<char>(value);
        const bool special = filling == '\n' || filling == '\0' || filling == telnet_iac;
        const std::string plain(37, filling);
        CHECK(find_special(plain, 3) == (special ? 3 : plain.size()));
        for (std::size_t place = 0; place < plain.size() && !special; ++place) {
            for (const char wanted : {'\n', '\0', telnet_iac}) {
                std::string bytes = plain;
                bytes[place] = wanted;
                bytes.back() = '\n';
                if (find_special(bytes, 0) != place || find_special(bytes, place) != place) {
                    FAIL_CHECK("byte " << value << " at " << place);
                }
            }
        }
    }
}

TEST_CASE("Decoder: echo hands over every byte as it comes") {
    Decoding decoding(Framing::echo, usual);
    const std::string bytes("\0\x16\n\xFF", 4);
    decoding.feed(bytes);
    CHECK(text_of(decoding.found()) == "=" + bytes + "|");
    CHECK_FALSE(decoding.partial());
}

TEST_CASE("Decoder: an idle one is small") {
    CHECK(sizeof(Decoder) <= 24);
}
