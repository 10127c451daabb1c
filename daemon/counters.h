// Counters — what the daemon has done and which of its limits were met; plain numbers, shown by
// /stats and the log.
//
// Owned by the server, lent by reference to whoever counts. Only ever grow.
#pragma once

#include "daemon/close_reason.h"

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace roomd {

/// One for each limit an operator can set and a peer can meet. The names are those of the
/// configuration.
enum class Limit : std::uint8_t {
    frame_bytes_max,
    line_bytes_max,
    queue_soft_bytes,
    queue_bytes_max,
    queue_entries_max,
    stalled_ms_max,
    wait_bytes_per_second_min,
    pinned_bytes_max,
    memory_max,
    reply_bytes_max,
    connections_max,
    first_payload_ms_max,
    partial_ms_max,
    linger_ms_max,
    accepts_per_tick_max,
    accepts_per_second_max,
    flushed_bytes_per_tick_max,
    said_bytes_per_tick_max,
    rooms_per_member_max,
    rooms_max,
    members_per_room_max,
    history_total_bytes_max,
    source_connections_max,
    source_connects_per_minute_max,
    messages_per_second_max,
    fanout_bytes_per_second_max,
    commands_per_second_max,
    joins_per_second_max,
    nicks_per_minute_max,
};
inline constexpr std::size_t limit_count =
    static_cast<std::size_t>(Limit::nicks_per_minute_max) + 1;

/// The configuration's name of it. Static storage.
[[nodiscard]] std::string_view name_of(Limit limit);

struct Limits;
/// What is in force, in the order of Limit. `connections_max`: what the descriptors allow.
[[nodiscard]] std::array<std::uint64_t, limit_count> limit_values(const Limits& limits,
                                                                  std::uint32_t connections_max);

struct Counters {
    std::uint64_t accepted = 0;
    std::uint64_t refused = 0;
    std::uint64_t closed = 0;
    std::uint64_t payloads = 0;
    std::uint64_t commands_refused = 0;
    std::uint64_t messages_said = 0;
    std::uint64_t datagrams = 0;
    std::uint64_t datagrams_dropped = 0;  // not said, for whatever reason; of them:
    std::uint64_t datagrams_limited = 0;  // over a rate, or too many waited
    std::uint64_t datagrams_invalid = 0;  // commands, no text, empty, too large
    std::uint64_t messages_delivered = 0; // into members' queues; some may be dropped there
    std::uint64_t messages_dropped = 0;   // told to their readers as gaps
    std::uint64_t state_dropped = 0;      // joins, parts, names, topics: told as stale
    std::uint64_t gaps = 0;               // ranges of lost messages that readers were told
    std::uint64_t accept_errors = 0;
    std::array<std::uint64_t, limit_count> hits{};
    std::array<std::uint64_t, close_reason_count> closes{};

    /// A limit was met.
    void hit(Limit limit) { ++hits[static_cast<std::size_t>(limit)]; }
};

/// Each total with its name in /stats, but for the hits.
struct CounterField {
    std::string_view name;
    std::uint64_t Counters::*field;
};

[[nodiscard]] std::span<const CounterField> counter_fields();

} // namespace roomd
