#include "protocol/decoder.h"

#include "protocol/line_scan.h"
#include "protocol/telnet.h"

#include <algorithm>
#include <cassert>

namespace roomd {

namespace {

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF"; // U+FEFF

// RFC 854 and 1143: we speak no option, and say so once a request.
constexpr char telnet_will = '\xFB';
constexpr char telnet_wont = '\xFC';
constexpr char telnet_dont = '\xFE';

/// `whole` may still come: what there is, is its beginning.
bool begins(std::string_view whole, std::string_view so_far) {
    return so_far.size() < whole.size() && whole.starts_with(so_far);
}

/// Four bytes, big end first: one load where the compiler sees them side by side.
std::uint32_t length_in(const char* header) {
    const auto byte = [header](std::size_t at) {
        return std::uint32_t{static_cast<unsigned char>(header[at])};
    };
    return byte(0) << 24U | byte(1) << 16U | byte(2) << 8U | byte(3);
}

/// U+FEFF, or what may become it.
std::optional<Step> mark_at_front(std::string_view bytes) {
    if (begins(byte_order_mark, bytes)) {
        return NeedMore{bytes.size() + 1};
    }
    if (bytes.starts_with(byte_order_mark)) {
        return Skipped{byte_order_mark.size()};
    }
    return std::nullopt;
}

/// LF, or CR NUL as telnet writes a carriage return (RFC 854).
bool is_line_end(std::string_view bytes, std::size_t at) {
    return bytes[at] == '\n' || (bytes[at] == '\0' && at > 0 && bytes[at - 1] == '\r');
}

bool begins_a_line(unsigned char byte) {
    return (byte >= 0x20 && byte < 0x7F) || byte == '\t' || byte == '\r' || byte == '\n' ||
           (byte >= 0xC2 && byte <= 0xF4);
}

} // namespace

Decoder::Decoder(Framing framing, const DecoderLimits& limits)
    : limits_(&limits), framing_(framing) {}

Step Decoder::next(std::string_view bytes) {
    if (bytes.empty()) {
        return NeedMore{1};
    }
    if (dead_) {
        return Skipped{bytes.size()};
    }
    switch (framing_) {
    case Framing::automatic:
        return detect(bytes);
    case Framing::frame:
        return next_frame(bytes);
    case Framing::line:
        return next_line(bytes);
    case Framing::echo:
        return Payload{bytes, bytes.size()};
    }
    return Skipped{bytes.size()};
}

Step Decoder::detect(std::string_view bytes) {
    if (const auto step = mark_at_front(bytes)) { // what follows it decides
        return *step;
    }
    if (bytes.front() == telnet_iac) {
        if (bytes.size() < 2) {
            return NeedMore{2};
        }
        if (is_telnet_command(bytes[1])) {
            framing_ = Framing::line;
            return next_line(bytes);
        }
    }
    const auto first = static_cast<unsigned char>(bytes.front());
    if (first == 0x00) {
        framing_ = Framing::frame;
        return next_frame(bytes);
    }
    if (begins_a_line(first)) {
        framing_ = Framing::line;
        return next_line(bytes);
    }
    constexpr unsigned char tls_handshake = 0x16;
    return die(first == tls_handshake ? ViolationKind::tls : ViolationKind::unknown_protocol,
               bytes.size());
}

Step Decoder::next_frame(std::string_view bytes) {
    if (skip_ > 0) {
        const std::size_t consumed = std::min<std::size_t>(skip_, bytes.size());
        skip_ -= static_cast<std::uint32_t>(consumed);
        return Skipped{consumed};
    }
    if (first_line_ && bytes.front() == byte_order_mark.front()) {
        if (const auto step = mark_at_front(bytes)) {
            return *step;
        }
    }
    if (bytes.front() != '\0') { // 2^24 or more: no need to see the rest of the header
        return die(ViolationKind::bad_frame, bytes.size());
    }
    if (bytes.size() < frame_header_bytes) {
        return NeedMore{frame_header_bytes};
    }
    const std::uint32_t length = length_in(bytes.data());
    if (length == 0) {
        return Skipped{frame_header_bytes};
    }
    const std::size_t whole = frame_header_bytes + std::size_t{length};
    if (length > limits_->frame_bytes_max) {
        const std::size_t consumed = std::min(whole, bytes.size());
        skip_ = static_cast<std::uint32_t>(whole - consumed);
        return Violation{ViolationKind::too_large, consumed};
    }
    if (bytes.size() < whole) {
        return NeedMore{whole};
    }
    std::string_view text = bytes.substr(frame_header_bytes, length);
    if (first_line_) {
        // Who is shown a payload may want to see it again, so this must not be another answer then:
        // the mark is left out of all frames up to the first that begins without one.
        first_line_ = text.starts_with(byte_order_mark);
        text.remove_prefix(first_line_ ? byte_order_mark.size() : 0);
        if (text.empty()) {
            return Skipped{whole};
        }
    }
    return Payload{text, whole};
}

// A mark that says "this is UTF-8" comes before text, and so does what a proxy says of its client.
std::optional<Step> Decoder::before_first_line(std::string_view bytes) {
    if (auto step = mark_at_front(bytes)) {
        scanned_ = 0;
        return step;
    }
    if (begins(proxy_v2_rest, bytes)) {
        return NeedMore{bytes.size() + 1};
    }
    if (bytes.starts_with(proxy_v2_rest)) {
        return die(ViolationKind::proxy, bytes.size());
    }
    return std::nullopt;
}

// Whether a line of which `size` bytes are there is too long, whatever follows. A line of exactly
// the limit may be followed by CR LF.
bool Decoder::over_limit(std::string_view bytes, std::size_t size) const {
    const std::size_t limit = limits_->line_bytes_max;
    return size > limit && !(size == limit + 1 && bytes[limit] == '\r');
}

Step Decoder::next_line(std::string_view bytes) {
    if (const auto step = before_line(bytes)) {
        return *step;
    }
    assert(scanned_ <= bytes.size());
    // The LF of a line within the limit may be this far and no farther.
    const std::size_t limit = limits_->line_bytes_max;
    const std::size_t end = std::min(bytes.size(), std::max<std::size_t>(scanned_, limit + 2));
    std::size_t at = scanned_;
    while (at < end && (at = find_special(bytes.substr(0, end), at)) < end) {
        if (is_line_end(bytes, at)) {
            return end_line(bytes, at);
        }
        std::size_t data = 1; // a NUL is data that will be refused as text
        if (bytes[at] == telnet_iac) {
            if (over_limit(bytes, at)) {
                return line_too_large(bytes, at);
            }
            if (const auto step = take_telnet(bytes, at, data)) {
                return *step;
            }
        }
        at =
            std::min(at + data, bytes.size()); // the two bytes of an IAC that is data stay together
    }
    at = std::max(at, end);
    if (over_limit(bytes, at)) {
        return line_too_large(bytes, at);
    }
    scanned_ = static_cast<std::uint32_t>(at);
    return NeedMore{bytes.size() + 1};
}

// The rest of what is dropped, the end of a line that was flushed, what stands before the first.
std::optional<Step> Decoder::before_line(std::string_view bytes) {
    if (subnegotiation_) {
        if (auto step = skip_subnegotiation(bytes)) {
            return step;
        }
    }
    if (skipping_line_) {
        return skip_line(bytes);
    }
    if (after_flush_) {
        if (auto step = swallow_line_end(bytes)) {
            return step;
        }
    }
    return nothing_yet() ? before_first_line(bytes) : std::nullopt;
}

// The last byte of its line end is at `at`.
Step Decoder::end_line(std::string_view bytes, std::size_t at) {
    const bool behind_return = at > 0 && bytes[at - 1] == '\r';
    const std::string_view text = bytes.substr(0, behind_return ? at - 1 : at);
    if (text.size() > limits_->line_bytes_max) {
        return line_too_large(bytes, at); // the line end ends the skipping
    }
    return complete_line(text, at + 1);
}

Step Decoder::complete_line(std::string_view text, std::size_t consumed) {
    scanned_ = 0;
    if (text.empty()) {
        return Skipped{consumed};
    }
    if (first_line_) {
        const ForeignLine foreign = nothing_yet() ? foreign_line(text) : ForeignLine::none;
        if (foreign != ForeignLine::none) {
            return die(foreign == ForeignLine::proxy ? ViolationKind::proxy
                                                     : ViolationKind::unknown_protocol,
                       consumed);
        }
        follow_first_line(text);
        if (request_.matched()) {
            return die(ViolationKind::http, consumed);
        }
        first_line_ = after_flush_; // a line that was flushed has not ended
    }
    return Payload{text, consumed};
}

// `consumed` bytes are too many already. A CR at their end stays: the other half of a line end may
// follow.
Step Decoder::line_too_large(std::string_view bytes, std::size_t consumed) {
    scanned_ = 0;
    if (consumed > 1 && bytes[consumed - 1] == '\r') {
        --consumed;
    }
    const std::string_view beginning = bytes.substr(0, consumed);
    // With a shorter limit, where the stream is cut would decide.
    const bool whole_start = limits_->line_bytes_max >= known_proxy_bytes;
    if (nothing_yet() && whole_start && foreign_line(beginning) == ForeignLine::proxy) {
        return die(ViolationKind::proxy, consumed);
    }
    skipping_line_ = true;
    follow_first_line(beginning);
    return Violation{ViolationKind::too_large, consumed};
}

Step Decoder::skip_line(std::string_view bytes) {
    std::size_t at = 0;
    while ((at = find_special(bytes, at)) < bytes.size()) {
        if (is_line_end(bytes, at)) {
            follow_first_line(bytes.substr(0, at));
            return end_skipped_line(at + 1);
        }
        std::size_t data = 1;
        if (bytes[at] == telnet_iac) {
            if (at > 0) {
                break;
            }
            if (const auto step = take_telnet(bytes, at, data)) {
                return *step;
            }
        }
        at = std::min(at + data, bytes.size());
    }
    if (at == bytes.size() && bytes.ends_with('\r')) {
        --at;
    }
    if (at == 0) {
        return NeedMore{bytes.size() + 1};
    }
    follow_first_line(bytes.substr(0, at));
    return Skipped{at};
}

// At its line end, at the end of the stream or by a flush.
Step Decoder::end_skipped_line(std::size_t consumed) {
    skipping_line_ = false;
    const bool http = first_line_ && request_.matched();
    first_line_ = first_line_ && after_flush_;
    return http ? die(ViolationKind::http, consumed) : Step{Skipped{consumed}};
}

// Behind a flush: the line end that belongs to what was flushed.
std::optional<Step> Decoder::swallow_line_end(std::string_view bytes) {
    if (bytes == "\r") {
        return NeedMore{2};
    }
    if (bytes.front() == telnet_iac) {
        std::size_t data = 0;
        if (auto step = take_telnet(bytes, 0, data)) {
            return step;
        }
    }
    after_flush_ = false;
    const bool two = bytes.starts_with("\r\n") || bytes.starts_with(std::string_view{"\r\0", 2});
    if (two || bytes.starts_with('\n')) {
        first_line_ = nothing_yet(); // a CR alone was flushed
        return Skipped{two ? std::size_t{2} : std::size_t{1}};
    }
    return std::nullopt;
}

// What stands behind the IAC at `at`. None: `data` bytes there are data. Commands that want no
// answer are taken out together, so that a flood of them costs a pass over it.
std::optional<Step> Decoder::take_telnet(std::string_view bytes, std::size_t at,
                                         std::size_t& data) {
    using Kind = TelnetCommand::Kind;
    Cut cut{at, 0};
    while (at + cut.size < bytes.size() && bytes[at + cut.size] == telnet_iac && !subnegotiation_ &&
           !cut.are_you_there && cut.answer_size + std::size_t{3} <= cut.bytes.size()) {
        const TelnetCommand command = read_telnet_command(bytes.substr(at + cut.size));
        if (command.kind == Kind::unfinished || (command.kind == Kind::data && cut.size > 0)) {
            break;
        }
        // The second half of a command may have come as urgent data, which TCP takes out of the
        // stream: what is left of it is no data of a client that speaks telnet.
        if (command.kind == Kind::data && (command.size > 1 || !telnet_)) {
            data = command.size;
            return std::nullopt;
        }
        // Unless this line has already been judged otherwise: it may have to be shown again.
        telnet_ = telnet_ || bytes.substr(0, at).find(telnet_iac) == std::string_view::npos;
        obey(command, cut);
    }
    scanned_ = skipping_line_ || after_flush_ ? 0 : static_cast<std::uint32_t>(at);
    return cut.size > 0 ? Step{cut} : Step{NeedMore{bytes.size() + 1}};
}

void Decoder::obey(const TelnetCommand& command, Cut& cut) {
    cut.size += command.size;
    switch (command.ask) {
    case TelnetAsk::will:
        answer(cut, telnet_dont, command.option);
        break;
    case TelnetAsk::do_it:
        answer(cut, telnet_wont, command.option);
        break;
    case TelnetAsk::timing_mark:
        answer(cut, telnet_will, command.option);
        break;
    case TelnetAsk::are_you_there:
        cut.are_you_there = answered_ < telnet_answers_max;
        if (cut.are_you_there) {
            ++answered_;
        }
        break;
    case TelnetAsk::subnegotiation:
        subnegotiation_ = true;
        break;
    case TelnetAsk::nothing:
    case TelnetAsk::end:
        break;
    }
}

// An option that was refused is not refused for ever: a client that asks again each time would go
// on with us for ever. A timing mark is asked for each time something is thrown away until it
// comes.
void Decoder::answer(Cut& cut, char verb, char option) {
    if (verb != telnet_will) {
        if (answered_ == telnet_answers_max) {
            return;
        }
        ++answered_;
    }
    for (const char byte : {telnet_iac, verb, option}) {
        cut.bytes[cut.answer_size++] = byte;
    }
}

// An option's own words, of any length: none of them is kept. Nothing once they are over.
std::optional<Step> Decoder::skip_subnegotiation(std::string_view bytes) {
    const std::size_t from = scanned_;
    const std::size_t iac = std::min(bytes.find(telnet_iac, from), bytes.size());
    if (iac > from) {
        return Cut{from, iac - from};
    }
    if (bytes.size() < from + 2) {
        return NeedMore{bytes.size() + 1};
    }
    if (bytes[from + 1] == telnet_iac) {
        return Cut{from, 2};
    }
    subnegotiation_ = false; // IAC SE, or another command, which the client has not got to say
    return std::nullopt;
}

Step Decoder::finish(std::string_view bytes) {
    Step step = next(bytes);
    if (!std::holds_alternative<NeedMore>(step)) {
        return step;
    }
    if (skipping_line_ && first_line_ && !dead_ && request_.matched()) {
        return die(ViolationKind::http, 0);
    }
    if (bytes.empty()) {
        return NeedMore{0};
    }
    // A partial frame; half a line end.
    if (framing_ != Framing::line || after_flush_ || skipping_line_) {
        return Skipped{bytes.size()};
    }
    const std::string_view text = without_half_command(bytes);
    if (text.empty()) {
        return Skipped{bytes.size()};
    }
    if (text.size() > limits_->line_bytes_max) { // the CR that might have been a line end is data
        return line_too_large(text, text.size());
    }
    return complete_line(text, bytes.size());
}

// A client of telnet was cut off in one.
std::string_view Decoder::without_half_command(std::string_view bytes) const {
    const bool half =
        (telnet_ || subnegotiation_) && scanned_ < bytes.size() && bytes[scanned_] == telnet_iac;
    return half ? bytes.substr(0, scanned_) : bytes;
}

Step Decoder::flush_line(std::string_view bytes) {
    if (framing_ != Framing::line || dead_) {
        return NeedMore{bytes.size() + 1};
    }
    Step step = next(bytes);
    if (!std::holds_alternative<NeedMore>(step)) {
        return step;
    }
    if (is_judged_whole(bytes)) {
        return step;
    }
    if (skipping_line_) {
        return flush_skipped_line(bytes);
    }
    if (bytes.empty()) {
        return step;
    }
    if (after_flush_) { // a CR whose LF has not come: it belongs to the line that was flushed
        return bytes == "\r" ? Step{Skipped{1}} : step;
    }
    // Half a command of telnet waits for its other half.
    const std::size_t size = scanned_ < bytes.size() && bytes[scanned_] == telnet_iac
                                 ? std::size_t{scanned_}
                                 : bytes.size();
    if (size == 0) {
        return step;
    }
    if (over_limit(bytes, size)) { // it has not been searched: it might have become a mark
        return line_too_large(bytes, size);
    }
    after_flush_ = true;
    std::string_view text = bytes.substr(0, size);
    if (text.ends_with('\r')) {
        text.remove_suffix(1);
    }
    return complete_line(text, size);
}

// What is behind the beginning of another protocol's first line must not count as lines of its own.
bool Decoder::is_judged_whole(std::string_view bytes) const {
    return nothing_yet() ? may_become_foreign(bytes) || begins(proxy_v2_rest, bytes)
                         : first_line_ && request_.known_method();
}

Step Decoder::flush_skipped_line(std::string_view bytes) {
    const bool half_end = bytes == "\r";
    after_flush_ = true;
    const Step ended = end_skipped_line(half_end ? 1 : 0);
    if (half_end || std::holds_alternative<Violation>(ended)) {
        return ended;
    }
    return NeedMore{bytes.size() + 1};
}

bool Decoder::partial(std::size_t unparsed_bytes) const {
    if (dead_ || framing_ == Framing::echo) {
        return false;
    }
    return unparsed_bytes > 0 || skip_ > 0 || skipping_line_ || subnegotiation_;
}

Step Decoder::die(ViolationKind kind, std::size_t consumed) {
    dead_ = true;
    skipping_line_ = false;
    subnegotiation_ = false;
    scanned_ = 0;
    return Violation{kind, consumed};
}

void Decoder::follow_first_line(std::string_view bytes) {
    if (first_line_) {
        request_.follow(bytes, limits_->line_bytes_max >= known_method_bytes);
    }
}

} // namespace roomd
