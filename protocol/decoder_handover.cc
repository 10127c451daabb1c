#include "protocol/decoder.h"

// A decoder's way into another process.
namespace roomd {

namespace {
constexpr std::uint32_t skip_max = frame_bytes_ceiling + frame_header_bytes;
} // namespace

DecoderSaved Decoder::saved() const {
    DecoderSaved saved;
    saved.framing = framing_;
    saved.scanned = scanned_;
    saved.skip = skip_;
    saved.http = request_.saved();
    saved.first_line = first_line_;
    saved.skipping_line = skipping_line_;
    saved.after_flush = after_flush_;
    saved.dead = dead_;
    saved.telnet = telnet_;
    saved.subnegotiation = subnegotiation_;
    saved.answered = answered_;
    return saved;
}

bool Decoder::restore(const DecoderSaved& saved, std::size_t unparsed_bytes) {
    // Only a line is searched for its end, and not while it is dropped: the bytes behind it would
    // be taken for searched. Only a frame's length says how much is to be skipped.
    const bool searching =
        saved.framing == Framing::line && !saved.skipping_line && !saved.after_flush && !saved.dead;
    const bool skipping = saved.framing == Framing::frame;
    RequestLine request;
    const bool possible = saved.framing <= Framing::automatic && request.restore(saved.http) &&
                          saved.answered <= telnet_answers_max &&
                          (!saved.subnegotiation || saved.framing == Framing::line) &&
                          saved.scanned <= (searching ? unparsed_bytes : 0) &&
                          saved.skip <= (skipping ? skip_max : 0);
    if (!possible) {
        return false;
    }
    framing_ = saved.framing;
    scanned_ = saved.scanned;
    skip_ = saved.skip;
    request_ = request;
    first_line_ = saved.first_line;
    skipping_line_ = saved.skipping_line;
    after_flush_ = saved.after_flush;
    dead_ = saved.dead;
    telnet_ = saved.telnet;
    subnegotiation_ = saved.subnegotiation;
    answered_ = saved.answered;
    return true;
}

} // namespace roomd
