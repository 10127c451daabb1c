#include "daemon/counters.h"

#include "daemon/config.h"

namespace roomd {

std::string_view name_of(Limit limit) {
    static constexpr std::array<std::string_view, limit_count> names{
        "frame_bytes_max",
        "line_bytes_max",
        "queue_soft_bytes",
        "queue_bytes_max",
        "queue_entries_max",
        "stalled_ms_max",
        "wait_bytes_per_second_min",
        "pinned_bytes_max",
        "memory_max",
        "reply_bytes_max",
        "connections_max",
        "first_payload_ms_max",
        "partial_ms_max",
        "linger_ms_max",
        "accepts_per_tick_max",
        "accepts_per_second_max",
        "flushed_bytes_per_tick_max",
        "said_bytes_per_tick_max",
        "rooms_per_member_max",
        "rooms_max",
        "members_per_room_max",
        "history_total_bytes_max",
        "source_connections_max",
        "source_connects_per_minute_max",
        "messages_per_second_max",
        "fanout_bytes_per_second_max",
        "commands_per_second_max",
        "joins_per_second_max",
        "nicks_per_minute_max",
    };
    static_assert(!names.back().empty());
    return names[static_cast<std::size_t>(limit)];
}

std::array<std::uint64_t, limit_count> limit_values(const Limits& limits,
                                                    std::uint32_t connections_max) {
    return {
        limits.wire.frame_bytes_max,
        limits.wire.line_bytes_max,
        limits.queue_soft_bytes,
        limits.queue_bytes_max,
        limits.queue_entries_max,
        limits.stalled_ms_max,
        limits.wait_bytes_per_second_min,
        limits.pinned_bytes_max,
        limits.memory_max,
        limits.reply_bytes_max,
        connections_max,
        limits.first_payload_ms_max,
        limits.partial_ms_max,
        limits.linger_ms_max,
        limits.accepts_per_tick_max,
        limits.accepts_per_second_max,
        limits.flushed_bytes_per_tick_max,
        limits.said_bytes_per_tick_max,
        limits.rooms_per_member_max,
        limits.rooms_max,
        limits.members_per_room_max,
        limits.history_total_bytes_max,
        limits.source_connections_max,
        limits.source_connects_per_minute_max,
        limits.messages_per_second_max,
        limits.fanout_bytes_per_second_max,
        limits.commands_per_second_max,
        limits.joins_per_second_max,
        limits.nicks_per_minute_max,
    };
}

std::span<const CounterField> counter_fields() {
    static constexpr auto fields = std::to_array<CounterField>({
        {"accepted", &Counters::accepted},
        {"refused", &Counters::refused},
        {"closed", &Counters::closed},
        {"payloads", &Counters::payloads},
        {"messages_said", &Counters::messages_said},
        {"messages_delivered", &Counters::messages_delivered},
        {"messages_dropped", &Counters::messages_dropped},
        {"state_dropped", &Counters::state_dropped},
        {"gaps", &Counters::gaps},
        {"commands_refused", &Counters::commands_refused},
        {"datagrams", &Counters::datagrams},
        {"datagrams_dropped", &Counters::datagrams_dropped},
        {"datagrams_limited", &Counters::datagrams_limited},
        {"datagrams_invalid", &Counters::datagrams_invalid},
        {"accept_errors", &Counters::accept_errors},
    });
    return fields;
}

} // namespace roomd
