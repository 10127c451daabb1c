// HttpRequestReader — the head of one HTTP/1.x request, taken in as it comes.
//
// Owned by an operator's connection (metrics_listener). Knows RFC 9112 as far as a server needs it
// that only answers GET and HEAD: request line and header fields, no bodies, one request a
// connection. Talks to nobody, keeps at most http_head_bytes_max, decides on the first byte that
// leaves no doubt: so how the bytes are cut cannot change a verdict, and what follows it is not
// looked at.
//
// Stricter than it must be: what RFC 9112 lets a recipient repair (obsolete line folding, blanks
// before a colon, a bare CR) is refused; a bare LF ends a line, because people type (2.2).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace roomd {

inline constexpr std::size_t http_head_bytes_max = std::size_t{8} * 1024;

/// What a request can come to (RFC 9110, section 15), as far as its head tells.
enum class HttpStatus : std::uint16_t {
    ok = 200,
    bad_request = 400,
    not_found = 404,
    method_not_allowed = 405,
    content_too_large = 413,
    misdirected = 421, // a Host that is no address: some web page's name for this machine
    head_too_large = 431,
    unavailable = 503,
    version_not_supported = 505,
};

/// "Not Found". Static storage.
[[nodiscard]] std::string_view reason_phrase(HttpStatus status);

/// An IP address or `localhost`, with or without a port: what the name of a stranger's web page
/// that points here (DNS rebinding) can never be.
[[nodiscard]] bool is_address_host(std::string_view host);

class HttpRequestReader {
public:
    /// Looks at more bytes; without effect once decided. Amortised O(bytes).
    void take(std::string_view bytes);

    /// Nothing until it is clear. `ok`: path() and head_only() may be asked; everything else is to
    /// be answered with that status.
    [[nodiscard]] std::optional<HttpStatus> verdict() const { return verdict_; }

    /// Of the target, without the query; begins with '/'.
    [[nodiscard]] std::string_view path() const { return path_; }

    /// HEAD: the same answer without its body. Known as soon as there is a request line, so that a
    /// refusal has no body either.
    [[nodiscard]] bool head_only() const { return head_only_; }

    /// Bytes looked at: the verdict depends on no later one.
    [[nodiscard]] std::size_t bytes_taken() const { return taken_; }

private:
    void take_line(std::string_view line);
    void take_request_line(std::string_view line);
    void take_target(std::string_view target);
    void take_field(std::string_view line);
    void take_content_length(std::string_view value);
    void finish();
    void refuse(HttpStatus status);

    std::string line_; // the one that is not complete yet
    std::string path_;
    std::string host_;
    std::size_t taken_ = 0;
    std::optional<HttpStatus> verdict_;
    std::optional<HttpStatus> later_; // refused, unless the head itself turns out to be broken
    bool begun_ : 1 = false;          // the request line has been read
    bool head_only_ : 1 = false;
    bool old_ : 1 = false;             // HTTP/1.0: needs no Host
    bool has_host_ : 1 = false;        // by a field
    bool target_has_host_ : 1 = false; // by an absolute target, which goes before the field
    bool has_length_ : 1 = false;
};

} // namespace roomd
