// Tracer — shows developers on a debug listener what goes over every connection, as it was framed
// and cut.
//
// Owned by the Server. Costs one test of `on()` where nobody traces, or where nobody who does can
// take more: a tracer that does not read costs the others nothing. Lines are kept until
// write_pending(), because most are made while the hub is handing out, when nothing may call back
// into it. What it writes to tracers is never traced itself.
//
// Each event is rendered once: what a room hears is one line however many hear it, and that line
// goes to all tracers. Private messages are not shown, in neither direction, nor is what stands
// behind a verb that is not known to be harmless (it may be a password): their sizes are.
//
// Invariants: at most tracers_max tracers; at most tick_bytes_max of lines wait; no tracer has more
// than that and unsent_bytes_max unsent because of it. Lines that a tracer has missed are counted
// and it is told; while none of them reads there are no lines to count, and it is told that.
#pragma once

#include "protocol/decoder.h"
#include "reactor/arena.h"
#include "reactor/slot_map.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace roomd {

class Hub;

class Tracer {
public:
    static constexpr std::size_t tracers_max = 4;
    static constexpr std::size_t tick_bytes_max = 32UL * 1024;
    static constexpr std::size_t unsent_bytes_max = 32UL * 1024;

    explicit Tracer(Hub& hub) : hub_(&hub) {}

    /// Somebody traces, and reads.
    [[nodiscard]] bool on() const { return ready_ && !writing_; }

    /// False: there are tracers_max already. Twice is once.
    [[nodiscard]] bool add(Key member);
    void forget(Key member);
    [[nodiscard]] bool traces(Key member) const;

    /// Tick's end, behind hand_out(): the lines of this tick go to those who trace and read. True
    /// if there were any.
    bool write_pending();

    /// `bytes` have just arrived, `waiting` before them had not been parsed: shows how the stream
    /// was cut.
    void arrived(std::uint32_t connection, Key member, std::size_t bytes, std::size_t waiting);
    /// One payload was taken off the stream; `raw` with its header or line end.
    void received(std::uint32_t connection, Key member, Framing framing, std::string_view raw);
    /// Framed bytes were queued for the connection alone: each payload is shown.
    void sent(std::uint32_t connection, Key member, Framing framing, std::string_view raw);
    /// The same, of a private message.
    void sent_privately(std::uint32_t connection, Key member, Framing framing,
                        std::string_view raw);

    /// A window of what a room says was queued for the connection: shown once for all that get the
    /// same one behind each other.
    struct Hearer {
        std::uint32_t connection;
        Key member;
        Framing framing;
    };

    void sent_to_all(const Hearer& hearer, const ChunkRef& chunk, std::uint32_t from,
                     std::uint32_t to);

private:
    struct Watch { // who traces
        Key member;
        std::uint64_t missed = 0; // lines that it could not take
        bool unread = false;      // there was a tick in which nobody could
    };

    /// What a room has said, and how many have been sent it so far.
    struct Broadcast {
        ChunkRef chunk;
        std::uint32_t from = 0;
        std::uint32_t to = 0;
        std::uint32_t connection = 0; // the first of them
        Key member;
        Framing framing = Framing::frame;
        std::size_t others = 0;
    };

    enum class Shown : std::uint8_t { all, by_verb, sizes };

    [[nodiscard]] bool full();
    [[nodiscard]] bool can_take(Key key) const;
    void write_to(Watch& watch);
    void keep(std::string line);
    void finish_broadcast();
    void payloads(const std::string& who, Framing framing, std::string_view raw, Shown shown);
    void payload(const std::string& who, std::string_view arrow, Framing framing,
                 std::string_view raw, Shown shown);

    Hub* hub_;
    std::vector<Watch> watches_;
    std::vector<std::string> pending_;
    std::size_t pending_bytes_ = 0;
    Broadcast broadcast_; // no chunk: none
    std::uint64_t dropped_ = 0;
    bool ready_ = false;
    bool writing_ = false;
};

} // namespace roomd
