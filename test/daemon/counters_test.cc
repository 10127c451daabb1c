#include "daemon/counters.h"

#include "daemon/config.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <set>
#include <string_view>

namespace roomd {

namespace {

Limit limit_at(std::size_t index) {
    return static_cast<Limit>(index);
}

} // namespace

TEST_CASE("Counters: every limit has a name of its own") {
    std::set<std::string_view> names;
    for (std::size_t index = 0; index < limit_count; ++index) {
        CHECK(!name_of(limit_at(index)).empty());
        CHECK(names.insert(name_of(limit_at(index))).second);
    }
    CHECK(name_of(Limit::frame_bytes_max) == "frame_bytes_max");
    CHECK(name_of(Limit::reply_bytes_max) == "reply_bytes_max");
    CHECK(name_of(Limit::history_total_bytes_max) == "history_total_bytes_max");
    CHECK(name_of(Limit::nicks_per_minute_max) == "nicks_per_minute_max");
}

TEST_CASE("Counters: the value shown beside a limit's name is that limit's") {
    Limits limits;
    limits.wire.frame_bytes_max = 1;
    limits.wire.line_bytes_max = 2;
    limits.queue_soft_bytes = 3;
    limits.queue_bytes_max = 4;
    limits.queue_entries_max = 5;
    limits.stalled_ms_max = 6;
    limits.wait_bytes_per_second_min = 7;
    limits.pinned_bytes_max = 8;
    limits.memory_max = 9;
    limits.reply_bytes_max = 10;
    limits.connections_max = 0; // what the descriptors allow is shown instead
    limits.first_payload_ms_max = 12;
    limits.partial_ms_max = 13;
    limits.linger_ms_max = 14;
    limits.accepts_per_tick_max = 15;
    limits.accepts_per_second_max = 16;
    limits.flushed_bytes_per_tick_max = 17;
    limits.said_bytes_per_tick_max = 18;
    limits.rooms_per_member_max = 19;
    limits.rooms_max = 20;
    limits.members_per_room_max = 21;
    limits.history_total_bytes_max = 22;
    limits.source_connections_max = 23;
    limits.source_connects_per_minute_max = 24;
    limits.messages_per_second_max = 25;
    limits.fanout_bytes_per_second_max = 26;
    limits.commands_per_second_max = 27;
    limits.joins_per_second_max = 28;
    limits.nicks_per_minute_max = 29;
    const auto values = limit_values(limits, 11);
    for (std::size_t index = 0; index < limit_count; ++index) {
        CAPTURE(name_of(limit_at(index)));
        CHECK(values.at(index) == index + 1);
    }
}

TEST_CASE("Counters: a hit counts where it was hit and nowhere else") {
    Counters counters;
    counters.hit(Limit::rooms_max);
    counters.hit(Limit::rooms_max);
    for (std::size_t index = 0; index < limit_count; ++index) {
        CHECK(counters.hits.at(index) == (limit_at(index) == Limit::rooms_max ? 2 : 0));
    }
}

} // namespace roomd
