// Decoder — finds the payloads in the bytes that one peer sent, however they were cut.
//
// Owned by one connection. Remembers the framing, how far it looked for a line end, and how much of
// an oversized payload is still to be skipped; never owns bytes, never blocks, never logs. The
// caller keeps the unparsed bytes and passes all of them to next() each time.
//
// What people's programs put between the characters of a line without their knowing is no text: a
// byte order mark in front, and the commands of telnet (RFC 854) anywhere. The latter come as Cut,
// with what is to be answered.
//
// Invariants:
//   * the sequence of payloads, violations and answers does not depend on how the bytes were cut
//   * every step but NeedMore consumes or cuts something (only a Violation of finish() may consume
//     nothing)
//   * a payload that the caller does not consume is shown again, the same, by the next next()
//   * no byte of an unfinished line is looked at twice in search of its end (drip-feeding stays
//     linear)
//   * a declared length is compared with the limit before anything is wanted or kept
//   * after a fatal Violation the decoder stays silent: it consumes and discards everything
#pragma once

#include "protocol/first_line.h"
#include "protocol/limits.h"

#include <array>
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
    too_large,        // payload over the limit; it is skipped, the connection goes on
    bad_frame,        // length of 2^24 or more; fatal
    tls,              // a TLS hello; fatal
    http,             // an HTTP request line; fatal
    unknown_protocol, // a first byte that nothing begins with, or another protocol's first line;
                      // fatal
    proxy             // the header of the PROXY protocol, version 1 or 2; fatal
};

struct Violation {
    ViolationKind kind;
    std::size_t consumed;

    [[nodiscard]] bool fatal() const { return kind != ViolationKind::too_large; }
};

/// Bytes of telnet inside the line so far: take them out, leave what is before them, and send the
/// answer. Line framing only.
struct Cut {
    std::size_t at;
    std::size_t size;
    std::array<char, 12> bytes = {};
    std::uint8_t answer_size = 0;
    bool are_you_there = false; // also show the client that somebody is, in words

    [[nodiscard]] std::string_view answer() const { return {bytes.data(), answer_size}; }
};

using Step = std::variant<NeedMore, Payload, Skipped, Violation, Cut>;

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
    bool telnet = false;
    bool subnegotiation = false;
    std::uint8_t answered = 0;
};

struct TelnetCommand;

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
    /// (or CR LF, or CR NUL) belongs to it and is swallowed; a CR at its end is taken for the first
    /// half of one. An oversized line that is being skipped ends here too. Line framing only;
    /// otherwise NeedMore, as for a first line that may become a request of HTTP or a PROXY header:
    /// what is behind its beginning must not count as lines of its own.
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
    [[nodiscard]] Step detect(std::string_view bytes);
    [[nodiscard]] Step next_frame(std::string_view bytes);
    [[nodiscard]] Step next_line(std::string_view bytes);
    [[nodiscard]] std::optional<Step> before_line(std::string_view bytes);
    [[nodiscard]] Step end_line(std::string_view bytes, std::size_t at);
    [[nodiscard]] Step skip_line(std::string_view bytes);
    [[nodiscard]] Step complete_line(std::string_view text, std::size_t consumed);
    [[nodiscard]] Step line_too_large(std::string_view bytes, std::size_t consumed);
    [[nodiscard]] Step end_skipped_line(std::size_t consumed);
    [[nodiscard]] std::optional<Step> before_first_line(std::string_view bytes);
    [[nodiscard]] std::optional<Step> swallow_line_end(std::string_view bytes);
    [[nodiscard]] bool over_limit(std::string_view bytes, std::size_t size) const;
    [[nodiscard]] std::optional<Step> take_telnet(std::string_view bytes, std::size_t at,
                                                  std::size_t& data);
    void obey(const TelnetCommand& command, Cut& cut);
    [[nodiscard]] std::optional<Step> skip_subnegotiation(std::string_view bytes);
    void answer(Cut& cut, char verb, char option);
    [[nodiscard]] bool is_judged_whole(std::string_view bytes) const;
    [[nodiscard]] Step flush_skipped_line(std::string_view bytes);
    [[nodiscard]] std::string_view without_half_command(std::string_view bytes) const;
    [[nodiscard]] Step die(ViolationKind kind, std::size_t consumed);
    void follow_first_line(std::string_view bytes);

    [[nodiscard]] bool nothing_yet() const { return first_line_ && !request_.begun(); }

    const DecoderLimits* limits_;
    std::uint32_t scanned_ = 0; // line: bytes already searched; never searched again
    std::uint32_t skip_ = 0;    // frame: bytes still to discard of an oversized payload
    Framing framing_;
    RequestLine request_;        // only followed in the first line that is not empty
    std::uint8_t answered_ = 0;  // refusals to telnet, up to telnet_answers_max
    bool first_line_ : 1 = true; // or frame
    bool skipping_line_ : 1 = false;
    bool after_flush_ : 1 = false;
    bool dead_ : 1 = false;
    bool telnet_ : 1 = false;         // has sent a telnet command
    bool subnegotiation_ : 1 = false; // behind scanned_ comes what IAC SE ends
};

} // namespace roomd
