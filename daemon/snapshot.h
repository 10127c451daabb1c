// Snapshot — everything that has to be known to go on where another process has stopped.
//
// A plain value between Server::save() or decode_snapshot() and Server::restore(). Its views belong
// to the server that was saved, or to the bytes that were decoded: they are valid as long as those
// are left alone. Holds no descriptor: `sessions` and `listeners` are in the order in which
// theirs travel beside it (parcel.h).
//
// Invariants after decode_snapshot(): every index is in range, every name valid and unique, every
// text valid UTF-8, every window lies in its chunk, ids are dense. Whoever restores need not look
// again. Times are durations: no clock is the same over there.
#pragma once

#include "daemon/close_reason.h"
#include "daemon/counters.h"
#include "daemon/rates.h"
#include "daemon/room_history.h"
#include "daemon/sources.h"
#include "protocol/decoder.h"
#include "protocol/event.h"
#include "reactor/arena.h"
#include "reactor/socket_address.h"
#include "reactor/stream.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace roomd {

inline constexpr std::uint32_t no_index = UINT32_MAX;

struct SavedLost {
    std::uint32_t label;
    std::uint64_t first;
    std::uint64_t last;
    std::uint64_t count;
    std::uint64_t state = 0;
};

struct SavedMark {
    std::uint32_t end;
    std::uint64_t number;
};

/// Bytes that wait in one or more queues.
struct SavedChunk {
    ChunkKind kind = ChunkKind::own;
    std::uint32_t label = no_index;
    std::string_view bytes = {};
    std::vector<SavedMark> marks = {};
    std::vector<SavedLost> lost = {}; // of a notice
};

struct SavedWindow {
    std::uint32_t chunk;
    std::uint32_t from;
    std::uint32_t to;
};

struct SavedRoom {
    std::string_view name = {};
    std::string_view epoch = {};
    std::string_view topic = {};
    std::uint64_t next_id = 1;
    std::vector<HistoryEntry> history = {}; // the newest has next_id - 1
    std::uint64_t empty_ms = 0;
    std::uint32_t crowd_joined = 0;
    std::uint32_t crowd_left = 0;
    std::uint64_t owner = 0;
};

struct SavedReplay {
    std::uint32_t room = 0;
    std::uint64_t next = 0;
    std::uint64_t end = 0;
    std::uint64_t first = 0;
    bool join = false; // or history
};

struct SavedMember {
    std::string_view nick = {};
    Format format = Format::plain;
    bool single_script = false;
    bool echo = false;
    bool ack = true;
    bool traces = false;
    std::vector<std::uint32_t> rooms = {}; // the last is the current one
    std::optional<SavedReplay> replay = {};
    std::uint64_t owner = 0;
    std::vector<std::string_view> ignored = {}; // folded nicks
    std::string_view list = {};                 // "who", "rooms" or "conns": begins anew
    std::string_view list_room = {};            // of "who", as it was asked for
};

/// How much of each patience is used up, in milliseconds.
struct SavedPatience {
    std::uint32_t partial_ms = 0;
    std::uint32_t soft_ms = 0;
    std::uint32_t silent_ms = 0;
    std::uint32_t leaving_ms = 0;
    std::uint32_t lingering_ms = 0;
    std::optional<std::uint32_t> flush_in_ms = {};
    std::uint32_t quiet_ms = 0;
};

struct SavedSession {
    std::uint64_t cookie = 0;  // SO_COOKIE: that socket and no other
    std::string_view uri = {}; // of its listener
    StreamSaved stream = {};
    std::vector<SavedWindow> output = {};
    DecoderSaved decoder = {};
    CloseReason reason = CloseReason::reset;
    Format last_format = Format::event;
    bool strangers = false;
    bool limited = false;
    bool begun = false;
    bool heard = false;
    bool ending = false;
    std::optional<SavedPatience> patience = {};
    std::optional<SavedMember> member = {};
    SourceKey source = {};
    Rates::Saved rates = {};                     // if limited
    std::optional<std::string_view> parked = {}; // waits for a room of slow policy `wait`
};

struct SavedListener {
    std::string_view uri = {};
    std::string_view address = {};
    std::string_view name = {}; // of one that the service manager has opened
    bool datagram = false;
    bool locked = false; // a Unix path: the descriptor of its lock follows
};

struct SavedTraffic {
    std::uint64_t bytes_read = 0;
    std::uint64_t bytes_written = 0;
    std::uint64_t read_calls = 0;
    std::uint64_t write_calls = 0;
};

struct Snapshot {
    std::string_view made_by = {}; // the program's version, for the log
    std::uint64_t frozen_us = 0;   // CLOCK_MONOTONIC when it was taken
    bool lockdown = false;
    std::uint64_t last_epoch = 0;
    std::uint64_t guests = 0;
    std::vector<std::string_view> labels = {};
    std::vector<SavedChunk> chunks = {};
    std::vector<SavedRoom> rooms = {};
    std::vector<SavedSession> sessions = {};
    std::vector<SavedListener> listeners = {};
    std::vector<Sources::Saved> sources = {};
    std::optional<Counters> counters = {}; // since version 2 of the format
    std::optional<SavedTraffic> traffic = {};
};

} // namespace roomd
