// Config — everything an operator can choose, with its default, after all sources were merged.
//
// A plain value: built once before the reactor runs (and again by a reload, all or nothing), then
// only read. Sources, strongest first: command line, ROOMD_* environment, configuration file,
// default. Each number is one row of the option table in config_options.cc: flag, variable, file
// key, bounds and help all come from there.
#pragma once

#include "protocol/decoder.h"
#include "protocol/limits.h"
#include "reactor/endpoint.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace roomd {

/// What happens to a reader whose queue is full: lose the oldest and be told which (gap), be closed
/// (disconnect), or slow the room's producers down (wait). `by_format`: gap for event and human,
/// disconnect for plain, which cannot be told.
enum class SlowPolicy : std::uint8_t { by_format, gap, disconnect, wait };

/// Descriptors that are kept for everything but connections.
inline constexpr std::uint64_t descriptors_reserved = 64;

/// The numbers of policy. Units last in the name; `_max` is inclusive; bytes, milliseconds or
/// counts.
struct Limits {
    DecoderLimits wire; // frame_bytes_max, line_bytes_max

    // one reader's queue
    std::uint32_t queue_soft_bytes = 256 * 1024; // above it for queue_soft_ms: judged as full
    std::uint32_t queue_soft_ms = 10'000;
    std::uint32_t queue_bytes_max = 1024 * 1024; // above it: the slow policy acts at once
    std::uint32_t queue_entries_max = 4'096;     // pieces in the queue, whatever their size
    std::uint32_t stalled_ms_max = 30'000;       // takes no byte for so long: closed, `slow`
    // in rooms of policy wait: who keeps others waiting and takes less is closed, `slow`, once it
    // is queue_soft_ms behind; 0: however slow
    std::uint32_t wait_bytes_per_second_min = 20'000;
    std::uint32_t notsent_lowat_bytes =
        128 * 1024; // TCP: the kernel queues no more; 0: as it likes
    std::uint64_t pinned_bytes_max = 256ULL << 20U; // all queues and open runs together
    std::uint64_t memory_max = 0; // all that is held for clients; 0: what the machine allows
    std::uint32_t reply_bytes_max = 64 * 1024; // own answers unsent: its commands wait

    // connections
    std::uint32_t connections_max = 0;           // 0: what the descriptor limit allows, less 64
    std::uint32_t first_payload_ms_max = 10'000; // public listeners only
    std::uint32_t partial_ms_max = 15'000;       // an unfinished frame or line
    std::uint32_t linger_ms_max = 5'000;         // after the goodbye, until the peer has closed
    std::uint32_t drain_ms_max = 10'000;         // on SIGTERM, for all of them
    std::uint32_t keepalive_idle_s = 60;
    std::uint32_t keepalive_interval_s = 10;
    std::uint32_t keepalive_probes = 3;
    // TCP_USER_TIMEOUT: keep-alive probes count only as far as it goes, see tcp(7).
    std::uint32_t user_timeout_ms = 90'000;

    // fairness, per turn of the reactor
    std::uint32_t accepts_per_tick_max = 32;
    // public listeners only, each for itself: 10,000 who come back are all in after 10 s
    std::uint32_t accepts_per_second_max = 1'000;
    std::uint32_t listen_backlog = 4'096;
    std::uint32_t read_bytes_per_tick_max = 64 * 1024;           // of one connection
    std::uint32_t flush_bytes_per_tick_max = 256 * 1024;         // to one connection
    std::uint32_t flushed_bytes_per_tick_max = 16 * 1024 * 1024; // to all; a call counts as 8 KiB
    std::uint32_t said_bytes_per_tick_max = 256 * 1024; // of all: then hand out and flush first
    std::uint32_t work_per_tick_max = 300'000;          // of all, units of 10 ns: see work.h
    std::uint32_t reads_per_tick_max = 1024 * 1024;     // of all, bytes; a call counts as 4 KiB

    // rooms
    std::uint32_t rooms_per_member_max = 50;
    std::uint32_t rooms_max = 10'000;
    std::uint32_t members_per_room_max = 20'000;
    std::uint32_t room_idle_ms = 60'000;           // an empty room is forgotten after so long
    std::uint32_t history_messages_max = 1'000;    // per room
    std::uint32_t history_bytes_max = 1024 * 1024; // per room
    std::uint64_t history_total_bytes_max = 128ULL << 20U;
    std::uint32_t presence_members_max = 100; // above: `crowd` instead of join and part

    // per source address and per connection; listeners that are neither loopback nor Unix only
    std::uint32_t source_connections_max = 32; // IPv4 /32, IPv6 /64
    std::uint32_t source_connects_per_minute_max = 60;
    std::uint32_t messages_per_second_max = 10;
    std::uint32_t messages_burst_max = 20;
    std::uint32_t fanout_bytes_per_second_max = 4U << 20U; // text size times members
    std::uint32_t fanout_bytes_burst_max = 8U << 20U;
    std::uint32_t commands_per_second_max = 20;
    std::uint32_t commands_burst_max = 40;
    std::uint32_t joins_per_second_max = 2;
    std::uint32_t joins_burst_max = 20;
    std::uint32_t nicks_per_minute_max = 3;
    // All connections of one source together may have so many times each of those rates. A source
    // is often one person with several programs, and sometimes an office behind one address.
    std::uint32_t source_rate_factor = 4;

    std::uint32_t log_lines_per_second_max = 20; // per kind of event
};

enum class RateLimits : std::uint8_t { by_address, on, off };

/// One `listen` URI, taken apart.
struct ListenerSpec {
    Endpoint endpoint;
    Framing framing = Framing::automatic;
    std::string room = "lobby"; // entered on connect; empty: none
    std::uint32_t flush_ms = 0; // line framing: text waiting so long counts as a line; 0 = never
    bool debug = false;         // /trace and /conns; loopback or Unix only
    RateLimits limits =
        RateLimits::by_address; // `limits=on|off`; by_address: on unless loopback or Unix
    std::string uri;            // as given, for messages
};

/// Whether rates and limits per source hold for who comes there. `strangers`: not from this
/// machine.
[[nodiscard]] inline bool limits_hold(const ListenerSpec& spec, bool strangers) {
    return spec.limits == RateLimits::on || (spec.limits == RateLimits::by_address && strangers);
}

/// Settings of rooms by name ([[room]] in the file).
struct RoomSpec {
    std::string name;
    SlowPolicy slow = SlowPolicy::by_format;
    std::uint32_t history_messages_max = 0; // 0: the general limit
    std::uint32_t history_bytes_max = 0;
    std::string topic;

    friend bool operator==(const RoomSpec&, const RoomSpec&) = default;
};

/// `automatic`: fields of its own for systemd's journal if stderr goes there, else text.
enum class LogFormat : std::uint8_t { automatic, text, json };
enum class LogLevel : std::uint8_t { debug, info, warning, error };

struct Config {
    /// default: tcp://127.0.0.1:8888. None with debug=on unless somebody asks for it: it shows what
    /// others send.
    std::vector<ListenerSpec> listeners;
    /// Somebody chose them. If nobody did, sockets of the service manager with well-known names
    /// stand in for the default ones (Server::adopt).
    bool listen_given = false;
    Limits limits;
    std::vector<RoomSpec> rooms;
    std::string name = "roomd"; // SERVER in `welcome`; one word
    LogLevel log_level = LogLevel::info;
    LogFormat log_format = LogFormat::automatic;
    std::optional<Endpoint> admin; // where roomctl commands it: a Unix socket, or fd:NAME
    std::uint32_t bind_retry_s = 0;
    std::optional<Endpoint> metrics; // where operators may ask over HTTP; none: nowhere
    bool insecure_public = false;
    bool keep_connections = false; // SIGTERM leaves them to the service manager for the next roomd
};

/// What main() is to do after reading its arguments.
enum class ConfigAction : std::uint8_t { run, exit };

struct ConfigResult {
    ConfigAction action;
    int exit_code;      // sysexits: 0, 64 (usage), 66 (no such file), 78 (configuration)
    std::string output; // for stdout: --help, --version, --print-config, --check-config
    std::string error;  // for stderr: names the option, file, line and column, and the way out
    Config config;      // valid if action == run
    std::vector<std::string>
        warnings;                // for the log, one line each: what is allowed and hardly meant
    int probe_state = -1;        // a descriptor: say whether its state can be taken over, and exit
    std::string probe_word = {}; // what proves then that a roomd says so
};

/// Whether there is somebody who must not be kept waiting.
enum class Patience : std::uint8_t {
    start, // a pipe may take some seconds to say what it has to say
    none,  // whatever is no regular file is refused, for it might never end
};

/// Reads command line, environment and file. Never exits, never prints, never throws. Remembers
/// nothing: a reload calls it again with the same arguments (Patience::none), and keeps the old
/// Config unless action is run.
[[nodiscard]] ConfigResult load_config(int argc, const char* const* argv,
                                       const char* const* environment,
                                       Patience patience = Patience::start);

/// `tcp://HOST:PORT?framing=..&room=..&flush=..&debug=on`, `udp://..`, `unix:/path?mode=0660`,
/// `fd:NAME`. On failure `error` is set to one sentence that names the part that is wrong.
[[nodiscard]] bool parse_listener(std::string_view uri, ListenerSpec& spec, std::string& error);

/// The program's version, one word, e.g. "0.1.0".
[[nodiscard]] std::string_view version();

} // namespace roomd
