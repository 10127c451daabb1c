// Decoder — finds the payloads in the bytes that one peer sent, however they were cut.
//
// Owned by one connection. Remembers the framing, how far it looked for a line end, and how much of
// an oversized payload is still to be skipped; never owns bytes, never blocks, never logs. The
// caller keeps the unparsed bytes and passes all of them to next() each time.
//
// Invariants:
//   * the sequence of payloads and violations does not depend on how the bytes were cut
//   * every step but NeedMore consumes something (only a Violation of finish() may consume nothing)
//   * a payload that the caller does not consume is shown again, the same, by the next next()
//   * no byte of an unfinished line is looked at twice in search of its end (drip-feeding stays
//     linear)
//   * a declared length is compared with the limit before anything is wanted or kept
//   * after a fatal Violation the decoder stays silent: it consumes and discards everything
#pragma once

#include "protocol/limits.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

namespace roomd {

enum class Framing : std::uint8_t { frame, line, echo, automatic };

struct DecoderLimits {
    std::uint32_t frame_bytes_max = frame_bytes_max_default;
    std::uint32_t line_bytes_max = line_bytes_max_default;
};

/// Nothing complete yet. `wanted`: how many bytes the next step needs in all (a hint; header + N
/// once a frame's header is known, size + 1 otherwise). Bytes passed stay with the caller.
struct NeedMore {
    std::size_t wanted;
};

/// One payload. `text` points into the bytes passed; `consumed` includes header or line end.
struct Payload {
    std::string_view text;
    std::size_t consumed;
};

/// Bytes that mean nothing (keep-alive frame, empty line, the rest of a skipped payload): drop
/// them.
struct Skipped {
    std::size_t consumed;
};

enum class ViolationKind : std::uint8_t {
    too_large,       // payload over the limit; it is skipped, the connection goes on
    bad_frame,       // length of 2^24 or more; fatal
    tls,             // a TLS hello; fatal
    http,            // an HTTP request line; fatal
    unknown_protocol // a first byte that nothing begins with; fatal
};

struct Violation {
    ViolationKind kind;
    std::size_t consumed;

    [[nodiscard]] bool fatal() const { return kind != ViolationKind::too_large; }
};

using Step = std::variant<NeedMore, Payload, Skipped, Violation>;

/// Everything a decoder remembers, as plain values: to go on in another process.
struct DecoderSaved {
    Framing framing = Framing::automatic;
    std::uint32_t scanned = 0;
    std::uint32_t skip = 0;
    std::uint8_t http = 0;
    bool first_line = true;
    bool skipping_line = false;
    bool after_flush = false;
    bool dead = false;
};

class Decoder {
public:
    /// `limits` must outlive the decoder (one struct serves all connections; a reload may change
    /// it).
    Decoder(Framing framing, const DecoderLimits& limits);

    /// The next step over all unparsed bytes. An empty `bytes` gives NeedMore. In echo framing all
    /// of `bytes` is one Payload, whatever it holds.
    [[nodiscard]] Step next(std::string_view bytes);

    /// End of stream: call after next() answered NeedMore, with the bytes left, until it answers
    /// NeedMore{0}. A last line without a line end is a Payload (a CR at its end is data); a
    /// partial frame is Skipped.
    [[nodiscard]] Step finish(std::string_view bytes);

    /// The line so far counts as a line (the listener's `flush` time has passed). A following LF
    /// (or CR LF) belongs to it and is swallowed; a CR at its end is taken for the first half of
    /// one. An oversized line that is being skipped ends here too. Line framing only; otherwise
    /// NeedMore.
    [[nodiscard]] Step flush_line(std::string_view bytes);

    [[nodiscard]] DecoderSaved saved() const;
    /// Goes on where saved() was taken, over the same unparsed bytes. False, and nothing changed:
    /// no decoder that holds `unparsed_bytes` can be in that state.
    [[nodiscard]] bool restore(const DecoderSaved& saved, std::size_t unparsed_bytes);

    /// `automatic` until the first byte has been seen.
    [[nodiscard]] Framing framing() const { return framing_; }

    /// Bytes of a payload have been seen whose end has not (also true while skipping one).
    [[nodiscard]] bool partial(std::size_t unparsed_bytes) const;

private:
    /// How much of an HTTP request line the first line has been so far; see decoder.cc.
    enum class HttpMatch : std::uint8_t;

    [[nodiscard]] Step detect(std::string_view bytes);
    [[nodiscard]] Step next_frame(std::string_view bytes);
    [[nodiscard]] Step next_line(std::string_view bytes);
    [[nodiscard]] Step skip_line(std::string_view bytes);
    [[nodiscard]] Step complete_line(std::string_view text, std::size_t consumed);
    [[nodiscard]] Step line_too_large(std::string_view bytes, std::size_t consumed);
    [[nodiscard]] std::optional<Step> swallow_line_end(std::string_view bytes);
    [[nodiscard]] Step die(ViolationKind kind, std::size_t consumed);
    [[nodiscard]] static HttpMatch advance(HttpMatch match, char byte);
    void follow_http(std::string_view bytes);
    [[nodiscard]] bool http_matched() const;

    const DecoderLimits* limits_;
    std::uint32_t scanned_ = 0; // line: bytes already searched; never searched again
    std::uint32_t skip_ = 0;    // frame: bytes still to discard of an oversized payload
    Framing framing_;
    HttpMatch http_{}; // only followed in the first line that is not empty
    bool first_line_ = true;
    bool skipping_line_ = false;
    bool after_flush_ = false;
    bool dead_ = false;
};

} // namespace roomd
