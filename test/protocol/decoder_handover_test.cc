// A decoder that goes on in another process. That no stream means anything else for it is in
// splitting_test.cc; here is what has no stream: the flush of a line, limits that are others over
// there, and states that no decoder has.
#include "test/protocol/decoding.h"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace roomd;
using roomd::test::Decoding;
using roomd::test::frame;

namespace {

constexpr DecoderLimits usual{};
constexpr DecoderLimits small{24, 16};

/// The stream with a flush at one place, given to another decoder at a second one, or to nobody.
std::vector<std::string> with_flush(std::string_view stream, std::size_t flush, std::size_t over) {
    Decoding decoding(Framing::line, small);
    for (std::size_t place = 0; place <= stream.size(); ++place) {
        if (place == flush) {
            decoding.flush();
        }
        if (place == over) {
            decoding.hand_over();
        }
        if (place < stream.size()) {
            decoding.feed(stream.substr(place, 1));
        }
    }
    decoding.finish();
    return decoding.found();
}

bool same(const DecoderSaved& one, const DecoderSaved& other) {
    return one.framing == other.framing && one.scanned == other.scanned && one.skip == other.skip &&
           one.http == other.http && one.first_line == other.first_line &&
           one.skipping_line == other.skipping_line && one.after_flush == other.after_flush &&
           one.dead == other.dead && one.telnet == other.telnet &&
           one.subnegotiation == other.subnegotiation && one.answered == other.answered;
}

/// Whether it is refused, and nothing has changed.
bool refused(const DecoderSaved& saved, std::size_t unparsed_bytes) {
    Decoder decoder(Framing::line, usual);
    static_cast<void>(decoder.next("half"));
    const DecoderSaved before = decoder.saved();
    const bool taken = decoder.restore(saved, unparsed_bytes);
    return !taken && same(decoder.saved(), before);
}

} // namespace

TEST_CASE("Decoder: a flush before or after the change of decoders means what it means without") {
    constexpr std::size_t never = SIZE_MAX;
    for (const std::string_view stream :
         {"prompt: \r\nnext\n", "a\n\nb", "far longer than sixteen bytes\r\nok\n",
          "GET / HTTP/1.1 and more\nx\n", "GET / HTTP/1.1\r\n", "hi\nGET / HTTP/1.1\n", "prompt\r",
          "POST /upload HTTP/1.1\r\nx\n", "up\xFF\xFD\x06loaded\n", "a\xFF\xFA\x1F\n\xFF\xF0z\n",
          "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n", "\xEF\xBB\xBFsaid\r\n"}) {
        for (std::size_t flush = 0; flush <= stream.size(); ++flush) {
            const std::vector<std::string> found = with_flush(stream, flush, never);
            for (std::size_t over = 0; over <= stream.size(); ++over) {
                REQUIRE(with_flush(stream, flush, over) == found);
            }
        }
    }
}

TEST_CASE("Decoder: it says of the other's half payload that it is half") {
    for (const auto& [bytes, partial] : {std::pair<std::string, bool>{"", false},
                                         {"half", true},
                                         {frame("whole"), false},
                                         {frame("whole").substr(0, 7), true},
                                         {std::string("\0\0\1\0", 4) + "skipped", true},
                                         {std::string(40, 'x'), true},
                                         {"\x16\x03", false}}) {
        Decoding decoding(Framing::automatic, small);
        decoding.feed(bytes);
        CHECK(decoding.partial() == partial);
        decoding.hand_over();
        CHECK(decoding.partial() == partial);
    }
}

TEST_CASE("Decoder: what was searched is not searched again") {
    Decoder decoder(Framing::line, usual);
    const std::string half(1'000, 'x');
    REQUIRE(std::holds_alternative<NeedMore>(decoder.next(half)));
    CHECK(decoder.saved().scanned == half.size());
    Decoder next(Framing::line, usual);
    REQUIRE(next.restore(decoder.saved(), half.size()));
    CHECK(next.saved().scanned == half.size());
}

TEST_CASE("Decoder: what was whole under the limits there may be too large under those here") {
    Decoder before(Framing::line, usual);
    const std::string half(100, 'x');
    REQUIRE(std::holds_alternative<NeedMore>(before.next(half)));
    Decoder after(Framing::line, small);
    REQUIRE(after.restore(before.saved(), half.size()));
    const Step step = after.next(half);
    const Violation* const violation = std::get_if<Violation>(&step);
    REQUIRE(violation != nullptr);
    CHECK(violation->kind == ViolationKind::too_large);
}

TEST_CASE("Decoder: a state that no decoder has is refused") {
    DecoderSaved saved;
    saved.framing = Framing::line;
    saved.scanned = 4;
    CHECK_FALSE(refused(saved, 4));
    CHECK(refused(saved, 3)); // it would have searched what is not there
    saved.after_flush = true;
    CHECK(refused(saved, 4)); // the line end that is dropped would count as searched
    saved.after_flush = false;
    saved.skipping_line = true;
    CHECK(refused(saved, 4)); // as would what is skipped
    saved.skipping_line = false;
    saved.framing = Framing::frame;
    CHECK(refused(saved, 4)); // nobody searches a frame
    saved = {};
    saved.framing = static_cast<Framing>(4);
    CHECK(refused(saved, 0));
    saved = {};
    saved.http = 22; // a known method, and a version behind it
    CHECK_FALSE(refused(saved, 0));
    saved.http = 23;
    CHECK(refused(saved, 0));
    saved = {};
    saved.subnegotiation = true;
    CHECK(refused(saved, 0)); // no telnet before it is known that there are lines
    saved.framing = Framing::line;
    CHECK_FALSE(refused(saved, 0));
    saved.answered = telnet_answers_max;
    CHECK_FALSE(refused(saved, 0));
    ++saved.answered;
    CHECK(refused(saved, 0));
    saved = {};
    saved.framing = Framing::frame;
    saved.skip = frame_bytes_ceiling + frame_header_bytes;
    CHECK_FALSE(refused(saved, 0));
    ++saved.skip;
    CHECK(refused(saved, 0));
    saved.skip = 1;
    saved.framing = Framing::line;
    CHECK(refused(saved, 0));
}
