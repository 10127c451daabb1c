#include "protocol/decoder.h"

#include <algorithm>
#include <cassert>

namespace roomd {

/// METHOD SP TARGET SP HTTP/x.y, followed byte by byte, so that a request line is known even if it
/// is over the limit and never in memory as a whole. Between `version` and `matched` lie the eight
/// characters of the version.
enum class Decoder::HttpMatch : std::uint8_t {
    method_first = 0, // the next byte must begin a method
    method,
    target_first,
    target,
    version,               // "H" comes next
    matched = version + 8, // the line may end here
    matched_return,        // ... and so may it behind a CR
    no,
};

namespace {

constexpr bool is_digit(char byte) {
    return byte >= '0' && byte <= '9';
}

/// RFC 9110, 5.6.2: what a method may be made of. '/' is not in it, so no command is ever one.
constexpr bool is_token(char byte) {
    return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') || is_digit(byte) ||
           std::string_view{"!#$%&'*+-.^_`|~"}.find(byte) != std::string_view::npos;
}

constexpr std::string_view http_version = "HTTP/0.0"; // a digit stands for any digit

constexpr bool fits_version(std::size_t index, char byte) {
    return is_digit(http_version[index]) ? is_digit(byte) : byte == http_version[index];
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
    if (bytes.front() != '\0') { // 2^24 or more: no need to see the rest of the header
        return die(ViolationKind::bad_frame, bytes.size());
    }
    if (bytes.size() < frame_header_bytes) {
        return NeedMore{frame_header_bytes};
    }
    std::uint32_t length = 0;
    for (const char byte : bytes.substr(0, frame_header_bytes)) {
        length = (length << 8U) | static_cast<unsigned char>(byte);
    }
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
    return Payload{bytes.substr(frame_header_bytes, length), whole};
}

Step Decoder::next_line(std::string_view bytes) {
    if (skipping_line_) {
        return skip_line(bytes);
    }
    if (after_flush_) {
        if (const auto step = swallow_line_end(bytes)) {
            return *step;
        }
    }
    // A line of exactly the limit may be followed by CR LF, so its LF may be this far and no
    // farther.
    assert(scanned_ <= bytes.size());
    const std::size_t limit = limits_->line_bytes_max;
    const std::size_t end = std::min(bytes.size(), std::max<std::size_t>(scanned_, limit + 2));
    const std::size_t newline = bytes.substr(0, end).find('\n', scanned_);
    if (newline != std::string_view::npos) {
        std::string_view text = bytes.substr(0, newline);
        if (text.ends_with('\r')) {
            text.remove_suffix(1);
        }
        if (text.size() > limit) {
            return line_too_large(bytes, newline); // the LF ends the skipping
        }
        return complete_line(text, newline + 1);
    }
    const bool may_end_in_limit = end <= limit || (end == limit + 1 && bytes[limit] == '\r');
    if (!may_end_in_limit) {
        return line_too_large(bytes, end);
    }
    scanned_ = static_cast<std::uint32_t>(end);
    return NeedMore{bytes.size() + 1};
}

Step Decoder::complete_line(std::string_view text, std::size_t consumed) {
    scanned_ = 0;
    if (text.empty()) {
        return Skipped{consumed};
    }
    if (first_line_) {
        follow_http(text);
        first_line_ = false;
        if (http_matched()) {
            return die(ViolationKind::http, consumed);
        }
    }
    return Payload{text, consumed};
}

Step Decoder::line_too_large(std::string_view bytes, std::size_t consumed) {
    scanned_ = 0;
    skipping_line_ = true;
    follow_http(bytes.substr(0, consumed));
    return Violation{ViolationKind::too_large, consumed};
}

Step Decoder::skip_line(std::string_view bytes) {
    const std::size_t newline = bytes.find('\n');
    follow_http(bytes.substr(0, newline));
    if (newline == std::string_view::npos) {
        return Skipped{bytes.size()};
    }
    skipping_line_ = false;
    const bool http = first_line_ && http_matched();
    first_line_ = false;
    return http ? die(ViolationKind::http, newline + 1) : Step{Skipped{newline + 1}};
}

std::optional<Step> Decoder::swallow_line_end(std::string_view bytes) {
    if (bytes == "\r") {
        return NeedMore{2};
    }
    after_flush_ = false;
    const bool crlf = bytes.starts_with("\r\n");
    if (crlf || bytes.starts_with('\n')) {
        return Skipped{crlf ? std::size_t{2} : std::size_t{1}};
    }
    return std::nullopt;
}

Step Decoder::finish(std::string_view bytes) {
    Step step = next(bytes);
    if (!std::holds_alternative<NeedMore>(step)) {
        return step;
    }
    if (skipping_line_ && first_line_ && !dead_ && http_matched()) {
        return die(ViolationKind::http, 0);
    }
    if (bytes.empty()) {
        return NeedMore{0};
    }
    if (framing_ != Framing::line || after_flush_) { // a partial frame; half a line end
        return Skipped{bytes.size()};
    }
    if (bytes.size() > limits_->line_bytes_max) { // the CR that might have been a line end is data
        return line_too_large(bytes, bytes.size());
    }
    return complete_line(bytes, bytes.size());
}

Step Decoder::flush_line(std::string_view bytes) {
    if (framing_ != Framing::line || dead_) {
        return NeedMore{bytes.size() + 1};
    }
    Step step = next(bytes);
    if (!std::holds_alternative<NeedMore>(step)) {
        return step;
    }
    if (skipping_line_) {
        skipping_line_ = false;
        after_flush_ = true;
        const bool http = first_line_ && http_matched();
        first_line_ = false;
        return http ? die(ViolationKind::http, 0) : step;
    }
    if (bytes.empty()) {
        return step;
    }
    if (after_flush_) { // a CR whose LF has not come: it belongs to the line that was flushed
        return Skipped{bytes.size()};
    }
    after_flush_ = true;
    std::string_view text = bytes;
    if (text.ends_with('\r')) {
        text.remove_suffix(1);
    }
    return complete_line(text, bytes.size());
}

bool Decoder::partial(std::size_t unparsed_bytes) const {
    if (dead_ || framing_ == Framing::echo) {
        return false;
    }
    return unparsed_bytes > 0 || skip_ > 0 || skipping_line_;
}

Step Decoder::die(ViolationKind kind, std::size_t consumed) {
    dead_ = true;
    skipping_line_ = false;
    return Violation{kind, consumed};
}

Decoder::HttpMatch Decoder::advance(HttpMatch match, char byte) {
    switch (match) {
    case HttpMatch::method_first:
        return is_token(byte) ? HttpMatch::method : HttpMatch::no;
    case HttpMatch::method:
        return byte == ' '      ? HttpMatch::target_first
               : is_token(byte) ? HttpMatch::method
                                : HttpMatch::no;
    case HttpMatch::target_first:
        return byte == ' ' ? HttpMatch::no : HttpMatch::target;
    case HttpMatch::target:
        return byte == ' ' ? HttpMatch::version : HttpMatch::target;
    case HttpMatch::matched:
        return byte == '\r' ? HttpMatch::matched_return : HttpMatch::no;
    case HttpMatch::matched_return:
    case HttpMatch::no:
        return HttpMatch::no;
    case HttpMatch::version:
        break;
    }
    // `version` itself or one of the steps behind it, which have no names.
    const auto step = static_cast<std::uint8_t>(match);
    const std::size_t index = step - std::size_t{static_cast<std::uint8_t>(HttpMatch::version)};
    return fits_version(index, byte) ? static_cast<HttpMatch>(step + 1) : HttpMatch::no;
}

void Decoder::follow_http(std::string_view bytes) {
    if (first_line_) {
        for (std::size_t at = 0; at < bytes.size() && http_ != HttpMatch::no; ++at) {
            http_ = advance(http_, bytes[at]);
        }
    }
}

bool Decoder::http_matched() const {
    return http_ == HttpMatch::matched || http_ == HttpMatch::matched_return;
}

} // namespace roomd
