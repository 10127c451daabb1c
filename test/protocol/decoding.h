// decoding — runs a Decoder the way a connection does, however the stream is cut, and writes down
// what it found.
//
// For tests. The transcript holds one entry for each payload, violation and answer to telnet, so
// two runs are the same if their transcripts are equal. Bytes to be skipped leave no trace: how
// many there are in one step depends on the cuts, and means nothing.
#pragma once

#include "protocol/decoder.h"

#include <cassert>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace roomd::test {

class Decoding {
public:
    Decoding(Framing framing, const DecoderLimits& limits)
        : framing_(framing), limits_(&limits), decoder_(framing, limits) {}

    /// More bytes have come.
    void feed(std::string_view bytes) {
        pending_.append(bytes);
        while (take(decoder_.next(pending_))) {
        }
    }

    void finish() {
        while (take(decoder_.finish(pending_))) {
        }
        assert(pending_.empty());
    }

    void flush() { take(decoder_.flush_line(pending_)); }

    /// Another decoder goes on in this one's place, with the bytes that are not parsed yet.
    void hand_over() {
        const DecoderSaved saved = decoder_.saved();
        decoder_ = Decoder(framing_, *limits_);
        const bool possible = decoder_.restore(saved, pending_.size());
        assert(possible);
        static_cast<void>(possible);
    }

    [[nodiscard]] const std::vector<std::string>& found() const { return found_; }

    [[nodiscard]] std::size_t wanted() const { return wanted_; }

    [[nodiscard]] const Decoder& decoder() const { return decoder_; }

    [[nodiscard]] bool partial() const { return decoder_.partial(pending_.size()); }

private:
    /// False when there is nothing more to take.
    bool take(const Step& step) {
        if (const auto* const more = std::get_if<NeedMore>(&step)) {
            assert(more->wanted > pending_.size() || (more->wanted == 0 && pending_.empty()));
            wanted_ = more->wanted;
            return false;
        }
        std::size_t consumed = 0;
        if (const auto* const payload = std::get_if<Payload>(&step)) {
            assert(payload->text.data() >= pending_.data());
            assert(payload->text.data() + payload->text.size() <=
                   pending_.data() + pending_.size());
            found_.push_back("=" + std::string(payload->text));
            consumed = payload->consumed;
            assert(consumed > 0);
        } else if (const auto* const violation = std::get_if<Violation>(&step)) {
            static constexpr const char* names[] = {"too_large", "bad_frame",        "tls",
                                                    "http",      "unknown_protocol", "proxy"};
            found_.emplace_back(std::string("!") + names[static_cast<int>(violation->kind)]);
            consumed = violation->consumed;
        } else if (const auto* const cut = std::get_if<Cut>(&step)) {
            assert(cut->size > 0);
            assert(cut->at + cut->size <= pending_.size());
            pending_.erase(cut->at, cut->size);
            for (std::string_view rest = cut->answer(); !rest.empty(); rest.remove_prefix(3)) {
                found_.emplace_back("?" + std::string(rest.substr(0, 3)));
            }
            if (cut->are_you_there) {
                found_.emplace_back("?here");
            }
        } else {
            consumed = std::get<Skipped>(step).consumed;
            assert(consumed > 0);
        }
        assert(consumed <= pending_.size());
        pending_.erase(0, consumed);
        return true;
    }

    Framing framing_;
    const DecoderLimits* limits_;
    Decoder decoder_;
    std::string pending_;
    std::vector<std::string> found_;
    std::size_t wanted_ = 0;
};

/// The whole stream, cut at `cuts` (ascending), then its end.
inline std::vector<std::string> decode(Framing framing, const DecoderLimits& limits,
                                       std::string_view stream,
                                       std::span<const std::size_t> cuts = {}) {
    Decoding decoding(framing, limits);
    std::size_t from = 0;
    for (const std::size_t cut : cuts) {
        decoding.feed(stream.substr(from, cut - from));
        from = cut;
    }
    decoding.feed(stream.substr(from));
    decoding.finish();
    return decoding.found();
}

/// The whole stream, of which one decoder gets what is before `cut` and another the rest.
inline std::vector<std::string> decode_by_two(Framing framing, const DecoderLimits& limits,
                                              std::string_view stream, std::size_t cut) {
    Decoding decoding(framing, limits);
    decoding.feed(stream.substr(0, cut));
    decoding.hand_over();
    decoding.feed(stream.substr(cut));
    decoding.finish();
    return decoding.found();
}

enum class By { one_decoder, many };

/// One byte at a time; each to another decoder, if there are many.
inline std::vector<std::string> dribble(Framing framing, const DecoderLimits& limits,
                                        std::string_view stream, By by = By::one_decoder) {
    Decoding decoding(framing, limits);
    for (const char byte : stream) {
        decoding.feed(std::string_view{&byte, 1});
        if (by == By::many) {
            decoding.hand_over();
        }
    }
    decoding.finish();
    return decoding.found();
}

/// `payload` as a frame.
inline std::string frame(std::string_view payload) {
    std::string bytes;
    for (unsigned shift = 32; shift > 0; shift -= 8) {
        bytes.push_back(static_cast<char>((payload.size() >> (shift - 8)) & 0xFFU));
    }
    return bytes.append(payload);
}

/// Only the header of a frame.
inline std::string header(std::uint32_t length) {
    std::string bytes;
    for (unsigned shift = 32; shift > 0; shift -= 8) {
        bytes.push_back(static_cast<char>((length >> (shift - 8)) & 0xFFU));
    }
    return bytes;
}

} // namespace roomd::test
