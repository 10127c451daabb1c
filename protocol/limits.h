// The numbers of the wire: how large a thing a peer may send, and why.
//
// Only what a peer can see stands here; policy (queues, rates, timeouts) is the daemon's and lives
// in daemon/config.h, struct Limits. Every name below is explained in protocol/PROTOCOL.md; a test
// holds the two together.
#pragma once

#include <cstdint>

namespace roomd {

/// A frame's header: one unsigned 32-bit big-endian length.
inline constexpr std::uint32_t frame_header_bytes = 4;

/// No frame may reach 2^24 bytes, so the first byte of a frame is always 0x00, which no text begins
/// with: that is what lets one listener serve both framings.
inline constexpr std::uint32_t frame_bytes_ceiling = (1U << 24U) - 1;

/// Longest text that anybody may say, whatever frame_bytes_max is: behind the fields of an event
/// (below 400 bytes) it still fits a frame.
inline constexpr std::uint32_t text_bytes_ceiling = frame_bytes_ceiling - 1'024;

/// Default largest frame payload. Chat is small, and the true cost of a message is size times
/// audience.
inline constexpr std::uint32_t frame_bytes_max_default = 65'536;

/// Default longest line, without its line end: what one pastes into netcat.
inline constexpr std::uint32_t line_bytes_max_default = 4'096;

/// Refusals of telnet options, and answers to telnet's "are you there", for one connection: a
/// client asks for a dozen options, and one that asks anew after each refusal would ask for ever.
inline constexpr std::uint32_t telnet_answers_max = 64;

/// Names of people and rooms, in code points; 4 bytes each at most.
inline constexpr std::uint32_t name_characters_max = 32;
inline constexpr std::uint32_t name_bytes_max = name_characters_max * 4;

/// Accents and other marks in a row on one letter of a name: no script needs more, towers of them
/// do.
inline constexpr std::uint32_t name_marks_max = 4;

/// A topic, and the reason of a part or quit: one screen line each; in bytes.
inline constexpr std::uint32_t topic_bytes_max = 1'560;
inline constexpr std::uint32_t reason_bytes_max = 200;

/// The token of /ping; it comes back as it came.
inline constexpr std::uint32_t token_bytes_max = 64;

/// As much of an unknown command's word is repeated in its `err`.
inline constexpr std::uint32_t verb_bytes_max = 32;

/// A page of /who or /rooms: the names in one payload, so that each payload fits a default line.
inline constexpr std::uint32_t page_bytes_max = 3'500;

/// The version that `/hello` names.
inline constexpr std::uint32_t protocol_version = 1;

static_assert(frame_bytes_max_default <= text_bytes_ceiling);
static_assert(line_bytes_max_default <= frame_bytes_max_default);

} // namespace roomd
