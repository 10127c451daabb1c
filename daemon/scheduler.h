// Scheduler — whose input is looked at next, by deficit round robin (Shreedhar, Varghese 1995).
//
// Owned by the Server, on a Budget that outlives it. Sessions with input that has to wait stand in
// one of three queues, first in, first out:
//
//   fresh      they have just begun to ask: this is their first turn
//   ready      they have had a turn, or a share of this tick, and want more; or they owe a turn
//   throttled  they have something to say, and what was said before has to be sent first
//
// Fresh ones go first, but for a quarter of each tick: so whoever asks little waits for others who
// do, and not for a round of all who want more (as new and old flows in RFC 8290, FQ-CoDel). A turn
// adds `quantum` to a session's credit; it runs commands while the credit lasts, and goes to the
// end of the queue if there is more. So whoever is alone gets the whole budget, and among many each
// gets the same share, however much it has sent. While anybody waits, a newcomer waits behind:
// nobody overtakes by being named first by the kernel. A debt lapses by a turn for each tick in
// which its owner has asked nothing.
//
// Knows sessions by key only; never reads or parses itself. A key whose session has gone is passed
// over. Nobody who waits costs a tick anything until it is its turn.
//
// Invariants: a session is in one queue, once (Share::place says in which); each turn spends at
// least `turn_units`, so a tick ends.
#pragma once

#include "daemon/budget.h"
#include "reactor/slot_map.h"

#include <algorithm>
#include <cstdint>
#include <deque>

namespace roomd {

/// What the scheduler remembers of one session; the session keeps it.
struct Share {
    enum class Place : std::uint8_t { none, turn, speech }; // `turn`: fresh or ready

    std::uint32_t tick = 0;  // the one in which it has had a share without waiting
    std::uint32_t asked = 0; // the last one in which it has asked, or had a turn
    std::int32_t credit = 0; // units it may still spend; below zero: its last command cost more
    Place place = Place::none;
};

/// Whom the scheduler asks.
class Turns {
public:
    /// nullptr: that session has gone.
    [[nodiscard]] virtual Share* share_of(Key session) = 0;
    /// Its turn: it looks at its input. May queue it again.
    virtual void run_turn(Key session) = 0;
    /// Something may be said to rooms now.
    [[nodiscard]] virtual bool may_speak() const = 0;

protected:
    ~Turns() = default;
};

class Scheduler {
public:
    /// Units of one turn: some twenty small commands.
    static constexpr std::int32_t quantum = 2'000;
    /// The least that a turn costs: a session is found, its decoder asked.
    static constexpr std::uint64_t turn_units = 20;

    explicit Scheduler(Budget& budget) : budget_(&budget) {}

    /// Whether this session may run another command now. If not, it has to wait_turn(). O(1).
    [[nodiscard]] bool admits(Share& share, std::uint32_t tick) {
        if (running_ != &share) {
            if (share.place == Share::Place::none && share.asked != tick) {
                forgive(share, tick - share.asked - 1);
                share.asked = tick;
            }
            tick_ = tick;
            if (share.place != Share::Place::none || !ready_.empty() || !fresh_.empty()) {
                return false;
            }
            // Nobody waits: a tick's first share is had at once, where the kernel has named it.
            if (share.tick != tick) {
                share.tick = tick;
                share.credit = std::min(share.credit, 0) + quantum;
            }
        }
        return share.credit > 0 && budget_->left();
    }

    /// It has done so much: at most INT32_MAX / 2 in one command, which is 10 s.
    void spend(Share& share, std::uint64_t units) {
        budget_->spend(units);
        share.credit -= static_cast<std::int32_t>(units);
    }

    /// To the end of a queue. It must hold its input until its turn. No-op if it waits already.
    /// `goes_on`: what waits is the rest of what it has asked before.
    void wait_turn(Key session, Share& share, bool goes_on = false);
    void wait_to_speak(Key session, Share& share);

    /// Whether this session may say something now. If not, it has to wait_to_speak(). O(1).
    [[nodiscard]] bool may_say(const Share& share, const Turns& turns) const {
        const bool its_turn = running_ == &share && running_speaker_;
        return turns.may_speak() && (throttled_.empty() || its_turn);
    }

    /// The tick's rest of the budget goes round among those who wait.
    void run(Turns& turns);

    /// Somebody could run in the next tick.
    [[nodiscard]] bool pending(const Turns& turns) const {
        return !fresh_.empty() || !ready_.empty() || (!throttled_.empty() && turns.may_speak());
    }

private:
    static void forgive(Share& share, std::uint32_t ticks) {
        const std::int64_t lapsed = std::int64_t{ticks} * quantum;
        const std::int64_t credit = std::min<std::int64_t>(share.credit + lapsed, 0);
        share.credit = std::max(share.credit, static_cast<std::int32_t>(credit));
    }

    void run_next(Turns& turns);
    void run_first(std::deque<Key>& queue, Turns& turns);

    Budget* budget_;
    std::deque<Key> fresh_;
    std::deque<Key> ready_;
    std::deque<Key> throttled_;
    std::uint32_t tick_ = 0;
    const Share* running_ = nullptr; // whose turn it is
    bool running_speaker_ = false;   // it comes from those who waited to speak
    bool ready_waited_ = false;      // in this tick none of them has had a turn yet
};

} // namespace roomd
