// Room — one sequence of messages and those who hear it.
//
// Owned by the Hub. Writes what is said once per dialect that has seats here, one message behind
// the other, into an open run; hand_out() gives each seat the run, not the messages: the cost of a
// message does not depend on the audience, the cost of a seat does not depend on the messages. No
// descriptor, no clock, no log.
//
//   chunk   [handed out earlier][unit][unit][unit]      free
//                               ^begin            ^size      the open run is [begin, size)
//
// A seat may start inside the open run (who joined in this tick), have spoken in it (who must not
// hear themselves), or be held (who is told first what was said before): `skip` says so, and only
// such seats are served piece by piece.
//
// Invariants (check()): the seats are as many as members(); an open run lies in its chunk and ends
// at its size; no seat starts behind that; a run that is closed has no seat with a `skip` but held
// ones. What concerns members and seats together is Hub::check()'s.
#pragma once

#include "daemon/config.h"
#include "daemon/room_history.h"
#include "protocol/event.h"
#include "protocol/name.h"
#include "reactor/arena.h"
#include "reactor/slot_map.h"
#include "reactor/time.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace roomd {

/// Whoever hears: a session, or a test's fake. Owned elsewhere, outlives its membership.
class Recipient {
public:
    /// A window of a room's run: whole units. Must not call back into the hub, nor end the member.
    virtual void deliver(const ChunkRef& chunk, std::uint32_t from, std::uint32_t to,
                         SlowPolicy policy) = 0;
    /// Bytes for this one alone. Same restrictions.
    virtual void deliver(std::string_view bytes) = 0;

    /// Bytes for this one alone that another member has sent: no answer of its own. Same
    /// restrictions.
    virtual void deliver_direct(std::string_view bytes) { deliver(bytes); }

    /// Bytes that wait to be sent to it.
    [[nodiscard]] virtual std::size_t unsent_bytes() const { return 0; }

    /// Too much waits already: nothing that cannot be dropped should be added.
    [[nodiscard]] virtual bool congested() const = 0;
    /// The room it waited for (slow policy `wait`) takes messages again.
    virtual void resume() = 0;

protected:
    ~Recipient() = default;
};

/// One member's place in one room and dialect.
struct Seat {
    static constexpr std::uint32_t spoke = 1U << 31U;
    static constexpr std::uint32_t held = 1U << 30U;
    Recipient* recipient;
    std::uint32_t member_slot;
    std::uint32_t skip; // 0: the whole run; else: from this offset on, `spoke`: without its own
                        // units, `held`: nothing
};

static_assert(sizeof(Seat) == 16);

class Room {
public:
    Room(Name room_name, std::string room_epoch, HistoryLimits history_limits,
         SlowPolicy slow_policy);

    /// Writes one unit into the dialect's run. Amortised O(bytes).
    void append(Arena& arena, Dialect dialect, std::string_view bytes, std::uint32_t source,
                std::uint64_t number);
    /// Gives every seat what it has not had of the open runs. O(seats of dialects with something
    /// new).
    void hand_out();
    /// Gives one seat what it has not had; the rest of the room waits for hand_out(). False: there
    /// was nothing.
    bool catch_up(Dialect dialect, std::uint32_t seat);
    /// After the flush: runs that nobody holds any more go back to the arena.
    /// False while somebody still holds one: ask again after the next flush.
    [[nodiscard]] bool release_runs();

    /// Takes a seat; the first unit it hears is the next one appended. Returns the seat's index.
    [[nodiscard]] std::uint32_t seat(Dialect dialect, Recipient& recipient,
                                     std::uint32_t member_slot);
    /// Empties a seat. Another member's seat takes its index: its slot is returned, or UINT32_MAX.
    [[nodiscard]] std::uint32_t unseat(Dialect dialect, std::uint32_t seat);

    /// The member in this seat has just spoken and must not hear it; `counted`: it was a message.
    void mark_spoke(Dialect dialect, std::uint32_t seat, bool counted = false) {
        Run& run = runs_[dialect.index()];
        if (run.chunk && run.begin != run.chunk->size()) {
            Seat& speaker = seats[dialect.index()][seat];
            speaker.skip |= Seat::spoke;
            delivered_ -= counted && (speaker.skip & Seat::held) == 0 ? 1 : 0;
        } else if (counted) { // nobody else is here, so it was not written in this dialect
            run.next = static_cast<std::uint32_t>(history.next());
        }
    }

    /// From now on nothing is handed to this seat, until release(). It must have caught up.
    void hold(Dialect dialect, std::uint32_t seat);
    /// It hears what is appended from now on.
    void release(Dialect dialect, std::uint32_t seat);

    [[nodiscard]] bool is_held(Dialect dialect, std::uint32_t seat) const {
        return (seats[dialect.index()][seat].skip & Seat::held) != 0;
    }

    /// What was appended last is not for this seat, which had caught up before that.
    void pass_over(Dialect dialect, std::uint32_t seat);

    /// Messages times seats that were to hear them, since the last call. After hand_out().
    [[nodiscard]] std::uint64_t take_delivered() {
        return static_cast<std::uint64_t>(std::exchange(delivered_, 0));
    }

    void check() const;

    [[nodiscard]] std::size_t members() const { return members_; }

    /// How it is called where nobody has asked for it by another spelling: folded, so that nobody
    /// who makes a room decides how others have to read it.
    [[nodiscard]] std::string_view shown() const { return name.folded(); }

    [[nodiscard]] std::string_view label() const { return label_.get()->text(); }

    Name name;
    std::string epoch;
    std::string topic;
    RoomHistory history;
    SlowPolicy slow;
    std::array<std::vector<Seat>, Dialect::count> seats;
    TimePoint empty_since{};
    std::uint32_t crowd_joined = 0; // not told yet
    std::uint32_t crowd_left = 0;
    std::uint32_t renames_told = 0;    // in this second, while it is crowded
    bool names_changed = false;        // and that was not told of all
    std::uint32_t state_units = 0;     // what was announced here beside messages; wraps
    std::uint32_t blocked_readers = 0; // slow policy `wait`
    std::vector<Recipient*> waiting;   // producers to resume
    bool releasing = false;            // in the hub's list of rooms whose runs are to be released
    bool dirty = false;                // in the hub's list of rooms to hand out

private:
    struct Run {
        ChunkRef chunk;
        std::uint32_t begin = 0;
        std::uint32_t capacity_next = 1024; // of the next chunk: follows what the room needs
        std::uint32_t said = 0;             // bytes since its chunks were given back
        std::uint32_t next = 0;             // the id after those handed out, for counting only
    };

    /// Of an open run. Every message since is in it, or was said while nobody sat here. Ids go on
    /// by one, so their difference counts what no message was counted for.
    [[nodiscard]] std::int64_t messages_in(const Run& run) const {
        return static_cast<std::uint32_t>(history.next()) - run.next;
    }

    void hand_out(std::size_t index);
    void serve(const Run& run, Seat& seat) const;

    LabelRef label_;
    std::array<Run, Dialect::count> runs_;
    std::size_t members_ = 0;
    // Each open run counts for all its seats when it is handed out; whoever takes or leaves a seat
    // meanwhile, or is not to hear itself, sets that right. So it is below zero between two ticks.
    std::int64_t delivered_ = 0;
};

} // namespace roomd
