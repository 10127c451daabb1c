// first_line — whether the first line of a connection is another protocol's.
//
// Internal to protocol/. A web page, a scanner or a proxy that was pointed at the wrong port must
// not be able to drive roomd, and what it sends must not be said to people. Pure; a RequestLine is
// one byte of state, so that a line is known even if it is never in memory as a whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace roomd {

/// Follows a line byte by byte and knows at its end whether it was an HTTP request line.
///
/// Strict for any method: METHOD SP TARGET SP HTTP/x.y. Loose for the methods of RFC 9110: behind
/// METHOD and a blank, a blank and "HTTP/" and a digit anywhere; servers and clients differ in how
/// many blanks they write and what they put behind the version (RFC 9112, section 3).
class RequestLine {
public:
    /// The next bytes of the line. `whole_start`: at the first call these are so many that a known
    /// method is in them, or all there are.
    void follow(std::string_view bytes, bool whole_start);

    /// Something was followed.
    [[nodiscard]] bool begun() const { return match_ != 0; }

    /// It is one if it ends here.
    [[nodiscard]] bool matched() const;

    /// It begins with a known method and a blank.
    [[nodiscard]] bool known_method() const;

    [[nodiscard]] std::uint8_t saved() const { return match_; }

    /// False, and nothing changed: no line is followed so.
    [[nodiscard]] bool restore(std::uint8_t saved);

private:
    std::uint8_t match_ = 0; // see first_line.cc
};

/// Known methods are found if a line's first so many bytes are there.
inline constexpr std::size_t known_method_bytes = 8; // "CONNECT "

/// What the first line is, whole or (of one that is too long) its beginning.
enum class ForeignLine : std::uint8_t { none, proxy, other };

/// The header of PROXY v1 is found if a line's first so many bytes are there.
inline constexpr std::size_t known_proxy_bytes = 13; // "PROXY UNKNOWN"

/// PROXY (v1); SSH; RTSP, SIP and ICY, whose request lines are HTTP's but for the name.
[[nodiscard]] ForeignLine foreign_line(std::string_view line);

/// The first line so far could become one that is refused, and is nothing that a person would wait
/// behind: it is to be judged whole, and not cut by a flush.
[[nodiscard]] bool may_become_foreign(std::string_view so_far);

/// The signature of PROXY v2 without the two empty lines it begins with. It begins with NUL, which
/// no text does.
inline constexpr std::string_view proxy_v2_rest{"\0\r\nQUIT\n", 8};

} // namespace roomd
