#include "daemon/config_options.h"

#include "protocol/limits.h"

#include <array>

namespace roomd {

namespace {

constexpr std::uint64_t kibi = 1024;
constexpr std::uint64_t mebi = kibi * kibi;
constexpr std::uint64_t gibi = kibi * mebi;
constexpr std::uint64_t tebi = kibi * gibi;
constexpr std::uint64_t minute_ms = 60'000;
constexpr std::uint64_t hour_ms = 60 * minute_ms;
constexpr std::uint64_t day_s = 86'400;
constexpr std::uint64_t million = 1'000'000;
constexpr std::uint64_t wire_bytes_min = 16;
constexpr std::uint64_t tcp_seconds_max = 32'767; // tcp(7): TCP_KEEPIDLE, TCP_KEEPINTVL
constexpr std::uint64_t tcp_probes_max = 127;     // TCP_KEEPCNT
constexpr std::uint64_t backlog_max = 65'535;

constexpr auto general = Section::general;
constexpr auto limits = Section::limits;
constexpr auto count = Unit::count;
constexpr auto bytes = Unit::bytes;
constexpr auto ms = Unit::milliseconds;
constexpr auto seconds = Unit::seconds;

using L = Limits;

// clang-format off
constexpr std::array table = {
    Setting{"listen", general, &Config::listeners, count, 0, 0,
            "where to listen; given ones replace the default ones"},
    Setting{"name", general, &Config::name, count, 0, 0,
            "what this server calls itself in `welcome`; one word"},
    Setting{"log_level", general, &Config::log_level, count, 0, 0,
            "debug, info, warning or error: what is told on stderr"},
    Setting{"log_format", general, &Config::log_format, count, 0, 0,
            "text for people, json for programs, auto: fields for systemd's journal, else text"},
    Setting{"bind_retry", general, &Config::bind_retry_s, seconds, 0, day_s,
            "go on trying this long while an address is in use; 0: give up at once",
            Effect::restart},
    Setting{"admin", general, &Config::admin, count, 0, 0,
            "where roomctl commands this roomd: a Unix socket's path, or fd:NAME", Effect::restart},
    Setting{"metrics", general, &Config::metrics, count, 0, 0,
            "HTTP for operators: /metrics, /healthz, /readyz and a page to look at"},
    Setting{"keep_connections", general, &Config::keep_connections, count, 0, 0,
            "on SIGTERM leave connections to systemd, for the next roomd (restart)"},
    Setting{"insecure_public", general, &Config::insecure_public, count, 0, 0,
            "allow TCP and UDP beyond this machine: no password, no encryption"},

    Setting{"frame_bytes_max", limits, &DecoderLimits::frame_bytes_max, bytes,
            wire_bytes_min, frame_bytes_ceiling, "longest payload in a frame",
            Effect::newcomers},
    Setting{"line_bytes_max", limits, &DecoderLimits::line_bytes_max, bytes,
            wire_bytes_min, frame_bytes_ceiling, "longest line, without its end",
            Effect::newcomers},

    Setting{"queue_soft_bytes", limits, &L::queue_soft_bytes, bytes, kibi, gibi,
            "a reader's queue above this for queue_soft_ms counts as full"},
    Setting{"queue_soft_ms", limits, &L::queue_soft_ms, ms, 1, hour_ms,
            "how long a queue may stay above queue_soft_bytes"},
    Setting{"queue_bytes_max", limits, &L::queue_bytes_max, bytes, kibi, gibi,
            "a reader's queue above this is full at once: the slow policy acts"},
    Setting{"queue_entries_max", limits, &L::queue_entries_max, count, wire_bytes_min, million,
            "pieces in a reader's queue, whatever their size"},
    Setting{"stalled_ms_max", limits, &L::stalled_ms_max, ms, 1, 24 * hour_ms,
            "a reader that takes no byte for so long is closed with `slow`"},
    Setting{"wait_bytes_per_second_min", limits, &L::wait_bytes_per_second_min, bytes, 0, gibi,
            "in rooms of policy wait, a reader that takes less is closed with `slow`; 0: none is"},
    Setting{"notsent_lowat_bytes", limits, &L::notsent_lowat_bytes, bytes, 0, gibi,
            "TCP: what the kernel queues for a reader that has no room; 0: its own limit",
            Effect::newcomers},
    Setting{"pinned_bytes_max", limits, &L::pinned_bytes_max, bytes, mebi, tebi,
            "memory of all queues together; above it the largest goes first"},
    Setting{"memory_max", limits, &L::memory_max, bytes, 0, tebi,
            "memory for all clients; 0: 0.6 of the cgroup's limit or half of the machine's"},
    Setting{"reply_bytes_max", limits, &L::reply_bytes_max, bytes, kibi, gibi,
            "unsent answers of one connection; above it its commands wait"},

    Setting{"connections_max", limits, &L::connections_max, count, 0, 10 * million,
            "connections at once; 0: what the descriptor limit allows, less 64"},
    Setting{"first_payload_ms_max", limits, &L::first_payload_ms_max, ms, 1, hour_ms,
            "public listeners: a connection must say something within this"},
    Setting{"partial_ms_max", limits, &L::partial_ms_max, ms, 1, hour_ms,
            "an unfinished frame or line may take this long"},
    Setting{"linger_ms_max", limits, &L::linger_ms_max, ms, 1, hour_ms,
            "after the goodbye, wait this long for the peer to close"},
    Setting{"drain_ms_max", limits, &L::drain_ms_max, ms, 1, hour_ms,
            "on SIGTERM, wait this long for all queues to empty"},
    Setting{"keepalive_idle_s", limits, &L::keepalive_idle_s, seconds, 1, tcp_seconds_max,
            "TCP: probe a peer that has been silent this long", Effect::newcomers},
    Setting{"keepalive_interval_s", limits, &L::keepalive_interval_s, seconds, 1, tcp_seconds_max,
            "TCP: time between probes", Effect::newcomers},
    Setting{"keepalive_probes", limits, &L::keepalive_probes, count, 1, tcp_probes_max,
            "TCP: this many unanswered probes and the peer is dead", Effect::newcomers},
    Setting{"user_timeout_ms", limits, &L::user_timeout_ms, ms, 1, hour_ms,
            "TCP: bytes or probes unanswered this long and the peer is dead", Effect::newcomers},

    Setting{"accepts_per_tick_max", limits, &L::accepts_per_tick_max, count, 1, backlog_max,
            "new connections taken in one turn", Effect::restart},
    Setting{"accepts_per_second_max", limits, &L::accepts_per_second_max, count, 0, million,
            "public listeners: more than so many a second wait at the door; 0: off"},
    Setting{"listen_backlog", limits, &L::listen_backlog, count, 1, backlog_max,
            "connections the kernel holds until they are taken", Effect::restart},
    Setting{"read_bytes_per_tick_max", limits, &L::read_bytes_per_tick_max, bytes, kibi, gibi,
            "read from one connection in one turn"},
    Setting{"flush_bytes_per_tick_max", limits, &L::flush_bytes_per_tick_max, bytes, kibi, gibi,
            "sent to one connection in one turn"},
    Setting{"flushed_bytes_per_tick_max", limits, &L::flushed_bytes_per_tick_max, bytes, kibi, gibi,
            "sent to all in one turn (each call counts as 8 KiB more), then others are heard"},
    Setting{"said_bytes_per_tick_max", limits, &L::said_bytes_per_tick_max, bytes, kibi, gibi,
            "said by all before it has been sent on; then speakers wait"},
    Setting{"work_per_tick_max", limits, &L::work_per_tick_max, count, 1'000, 1'000 * million,
            "commands run in one turn, in units of some 10 ns; then the next connection's"},
    Setting{"reads_per_tick_max", limits, &L::reads_per_tick_max, bytes, kibi, gibi,
            "read from all in one turn (each call counts as 4 KiB more)"},

    Setting{"rooms_per_member_max", limits, &L::rooms_per_member_max, count, 1, million,
            "rooms one connection may be in"},
    Setting{"rooms_max", limits, &L::rooms_max, count, 1, 10 * million,
            "rooms at once"},
    Setting{"members_per_room_max", limits, &L::members_per_room_max, count, 1, 10 * million,
            "members of one room"},
    Setting{"room_idle_ms", limits, &L::room_idle_ms, ms, 0, 24 * hour_ms,
            "an empty room and its history are forgotten after this"},
    Setting{"history_messages_max", limits, &L::history_messages_max, count, 1, 10 * million,
            "messages a room remembers"},
    Setting{"history_bytes_max", limits, &L::history_bytes_max, bytes, kibi, gibi,
            "bytes a room remembers"},
    Setting{"history_total_bytes_max", limits, &L::history_total_bytes_max, bytes, kibi, tebi,
            "bytes all rooms remember together"},
    Setting{"presence_members_max", limits, &L::presence_members_max, count, 0, 10 * million,
            "above so many members joins and parts are summed up as `crowd`"},

    Setting{"source_connections_max", limits, &L::source_connections_max, count, 1, 10 * million,
            "connections of one address (IPv4 /32, IPv6 /64)"},
    Setting{"source_connects_per_minute_max", limits, &L::source_connects_per_minute_max, count,
            1, 10 * million, "new connections of one address a minute"},
    Setting{"messages_per_second_max", limits, &L::messages_per_second_max, count, 1, million,
            "messages of one connection a second"},
    Setting{"messages_burst_max", limits, &L::messages_burst_max, count, 1, million,
            "messages at once before that rate counts"},
    Setting{"fanout_bytes_per_second_max", limits, &L::fanout_bytes_per_second_max, bytes,
            kibi, gibi, "text times members of what one connection says in a second"},
    Setting{"fanout_bytes_burst_max", limits, &L::fanout_bytes_burst_max, bytes, kibi, gibi,
            "the same at once before that rate counts"},
    Setting{"commands_per_second_max", limits, &L::commands_per_second_max, count, 1, million,
            "other commands of one connection a second"},
    Setting{"commands_burst_max", limits, &L::commands_burst_max, count, 1, million,
            "commands at once before that rate counts"},
    Setting{"joins_per_second_max", limits, &L::joins_per_second_max, count, 1, million,
            "joins of one connection a second"},
    Setting{"joins_burst_max", limits, &L::joins_burst_max, count, 1, million,
            "joins at once before that rate counts"},
    Setting{"nicks_per_minute_max", limits, &L::nicks_per_minute_max, count, 1, million,
            "new names of one connection a minute"},
    Setting{"source_rate_factor", limits, &L::source_rate_factor, count, 1, million,
            "all connections of one address may have so many times those rates together"},

    Setting{"log_lines_per_second_max", limits, &L::log_lines_per_second_max, count, 1, million,
            "log lines of one kind a second; the rest is counted"},
};

// clang-format on

std::string with_separator(std::string_view name, char separator) {
    std::string result(name);
    for (char& c : result) {
        c = c == '_' ? separator : c;
    }
    return result;
}

} // namespace

std::span<const Setting> settings() {
    return table;
}

std::string flag_of(const Setting& setting) {
    return "--" + with_separator(setting.name, '-');
}

std::string variable_of(const Setting& setting) {
    std::string result = "ROOMD_";
    for (const char c : setting.name) {
        result += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    }
    return result;
}

std::string key_of(const Setting& setting) {
    return (setting.section == Section::limits ? "limits." : "") + std::string(setting.name);
}

} // namespace roomd
