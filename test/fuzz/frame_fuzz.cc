// Any bytes, as frames: cut where the first bytes say, and compared with a reader of forty lines
// that has the whole stream in hand. Also the first-byte detection, which may only choose between
// framings.
#include "protocol/decoder.h"
#include "test/fuzz/check.h"
#include "test/protocol/decoding.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

using namespace roomd;

namespace {

/// Frames, slowly: every step looks at the whole rest of the stream.
std::vector<std::string> slow_frames(std::string_view stream, std::size_t limit) {
    constexpr std::string_view mark = "\xEF\xBB\xBF";
    std::vector<std::string> found;
    bool marked = true; // so far a mark may stand before a frame, and in it before the text
    while (!stream.empty()) {
        if (marked && stream.starts_with(mark)) {
            stream.remove_prefix(mark.size());
            continue;
        }
        if (marked && mark.starts_with(stream)) {
            break;
        }
        if (stream.front() != '\0') {
            found.emplace_back("!bad_frame");
            break;
        }
        if (stream.size() < 4) {
            break;
        }
        std::size_t length = 0;
        for (std::size_t index = 0; index < 4; ++index) {
            length = length * 256 + static_cast<unsigned char>(stream[index]);
        }
        stream.remove_prefix(4);
        if (length > limit) {
            found.emplace_back("!too_large");
            stream.remove_prefix(length < stream.size() ? length : stream.size());
        } else if (stream.size() < length) {
            break;
        } else {
            std::string_view text = stream.substr(0, length);
            if (length > 0) {
                marked = marked && text.starts_with(mark);
                text.remove_prefix(marked ? mark.size() : 0);
            }
            if (!text.empty()) {
                found.push_back("=" + std::string(text));
            }
            stream.remove_prefix(length);
        }
    }
    return found;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input(data, size);
    const DecoderLimits limits{input.byte() + 1U, 64};
    const std::vector<std::size_t> cuts = input.cuts();
    const std::string_view stream = input.rest();

    const std::vector<std::string> expected = slow_frames(stream, limits.frame_bytes_max);
    fuzz::check(test::decode(Framing::frame, limits, stream, cuts) == expected);
    fuzz::check(test::dribble(Framing::frame, limits, stream) == expected);

    const std::vector<std::string> detected =
        test::decode(Framing::automatic, limits, stream, cuts);
    fuzz::check(detected == test::dribble(Framing::automatic, limits, stream));
    if (!stream.empty() && stream.front() == '\0') {
        fuzz::check(detected == expected);
    }
    return 0;
}
